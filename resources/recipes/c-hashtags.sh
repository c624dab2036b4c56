#!/usr/bin/env bash
# Hashtags for videos that nobody has tagged yet, from class folders that grow: one folder a hashtag, about 100 videos each.
#
# usage: c-hashtags.sh VIDEOS NEW FOLDER
#
#   VIDEOS   a folder, or s3://bucket/prefix with the extra `s3`, that holds HASHTAG/video.mp4.
#   NEW      videos to tag.
#   FOLDER   where the results go. Run the same command again when VIDEOS has grown: new videos are embedded, old ones
#            keep their vectors and their part of the split, and known hashtags keep their place in the head.
#
# The wish that began it: tags for an unseen video, 31 hashtags, train:validation:test 80:10:10, stratified, a map of
# labels that stays. No figures were published.
set -euo pipefail
usage="usage: c-hashtags.sh VIDEOS NEW FOLDER"
videos=${1:?$usage} new=${2:?$usage} out=${3:?$usage}
model=${MODEL:-ViT-B-32} frames=${FRAMES:-100} budget=${BUDGET:-60}
mkdir -p "$out"
before=() known=()
if [[ -f $out/split.csv ]]; then before=(--keep "$out/split.csv"); fi
if [[ -d $out/head ]]; then known=(--vocabulary "$out/head"); fi

embed-videos "$videos" --model "$model" --frames-count "$frames" -o "$out/embeddings.h5" || (($? == 1)) # 1: some failed
split-videos "$out/embeddings.h5" "${before[@]}" "${known[@]}" --group-near-duplicates \
    --test-size 0.1 --validation-size 0.1 -o "$out/split.csv"
describe-dataset "$out/embeddings.h5" --split "$out/split.csv" -o "$out/dataset"
train-head "$out/embeddings.h5" --split "$out/split.csv" --arch auto --budget "$budget" -o "$out/head" --html
predict-videos "$out/head" "$new" -o "$out/tags.csv" || (($? == 1))

# To look, search by content and correct tags in the browser:
#   serve-videos "$out/head" --store "$out/embeddings.h5"
# To do all this every night, and keep the better head, see refresh-head: resources/docs/retraining.md
