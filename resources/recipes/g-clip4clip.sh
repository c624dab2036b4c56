#!/usr/bin/env bash
# CLIP4Clip's three ways from frames to a video, as classifiers: meanP, seqLSTM and seqTransf.
#
# usage: g-clip4clip.sh VIDEOS FOLDER
#
#   VIDEOS   a folder that holds CLASS/video.mp4.
#   FOLDER   where the results go: the store and the comparison.
#
# The paper (Luo et al. 2021) retrieves videos by text, so it has no figures for classes; its finding is that meanP does
# as well as the others on small sets, and that order helps on large ones. The table here has micro-F1 with intervals and
# the paired difference to meanP. As in the paper: CLIP ViT-B/32, 12 frames, vectors as they are.
set -euo pipefail
videos=${1:?usage: g-clip4clip.sh VIDEOS FOLDER} out=${2:?usage: g-clip4clip.sh VIDEOS FOLDER}
model=${MODEL:-ViT-B-32} frames=${FRAMES:-12} folds=${FOLDS:-5} seeds=${SEEDS:-5} epochs=${EPOCHS:-10}
mkdir -p "$out"
embed-videos "$videos" --model "$model" --frames-count "$frames" -o "$out/embeddings.h5" || (($? == 1)) # 1: some failed
compare-heads "$out/embeddings.h5" --arch clip4clip-mean,clip4clip-lstm,clip4clip --mixup 0 --no-standardise \
    --epochs "$epochs" --folds "$folds" --seeds "$seeds" -o "$out/comparison"
