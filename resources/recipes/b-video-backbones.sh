#!/usr/bin/env bash
# Video backbones with a fine-tuned last block, for classes of which a video may have several: MViT, Video Swin, R(2+1)D.
#
# usage: b-video-backbones.sh VIDEOS LABELS.csv FOLDER
#
#   VIDEOS      a folder of videos.
#   LABELS.csv  columns path,labels; several labels with | between.
#   FOLDER      where the results go: pictures of the set, and a store and a head for each backbone.
#
# The published run: 796 TikTok videos of 12 classes, 5.6 to 600 s long, split 80:10:10 by iterative stratification; 16
# frames of the first 10 s, step = frames // 16; weights of Kinetics-400, all frozen but the last block and a new head,
# dropout 0.5 and one linear layer; binary cross-entropy, Adam at 0.001, 10 epochs, batches of 32. It reports accuracy,
# F1, recall and average precision, without saying of what its +- is:
#   mvit_v2_s 0.93 / 0.98 / 0.97 / 0.97    swin3d_t 0.89 / 0.96 / 0.94 / 0.95    r2plus1d_18 0.86 / 0.95 / 0.93 / 0.94
# What enters the last block is stored once, so an epoch takes seconds. The frozen part runs as in evaluation: without
# its stochastic depth, and with the batch statistics of its weights.
set -euo pipefail
usage="usage: b-video-backbones.sh VIDEOS LABELS.csv FOLDER"
videos=${1:?$usage} list=${2:?$usage} out=${3:?$usage}
backbones=${BACKBONES:-mvit_v2_s:blocks.15 swin3d_t:features.6 r2plus1d_18:layer4} epochs=${EPOCHS:-10}
weights=() # a checkpoint in place of the published weights, for one backbone
if [[ -n ${PRETRAINED:-} ]]; then weights=(--pretrained "$PRETRAINED"); fi
mkdir -p "$out"

for backbone in $backbones; do
    model=${backbone%%:*} block=${backbone#*:}
    store=$out/$model.h5
    embed-videos "$videos" --model "$model" --stop-before "$block" "${weights[@]}" -o "$store" \
        --clip-frames 16 --clip-stride auto --clips-count 1 --first-seconds 10 || (($? == 1)) # 1: some videos failed
    if [[ ! -f $out/split.csv ]]; then
        split-videos "$store" --labels "$list" --test-size 0.1 --validation-size 0.1 -o "$out/split.csv"
        describe-dataset "$store" --labels "$list" --split "$out/split.csv" -o "$out/dataset"
    fi
    train-head "$store" --split "$out/split.csv" --arch last-block --recipe last-block --epochs "$epochs" \
        "${weights[@]}" -o "$out/head-$model" --html
done
