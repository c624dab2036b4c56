#!/usr/bin/env bash
# YouTube-8M's own baselines on its features: the yardstick of light heads.
#
# usage: f-youtube8m-baselines.sh RECORDS FOLDER
#
#   RECORDS   frame-level TFRecords, as a quoted pattern: 'yt8m/*.tfrecord'.
#   FOLDER    where the results go: the store, and a comparison of the baselines.
#
# Published GAP@20 on the test videos of 2017: one hidden layer on the means 0.799, mixture of experts on the means 0.802.
# A single NeXtVLAD has 0.878 on the labels of 2018. Figures to set beside them need the data set, 1.5 TB; each head's
# report has its GAP@20.
set -euo pipefail
records=${1:?usage: f-youtube8m-baselines.sh RECORDS FOLDER} out=${2:?usage: f-youtube8m-baselines.sh RECORDS FOLDER}
archs=${ARCHS:-linear mlp moe dbof lstm nextvlad} epochs=${EPOCHS:-10}
mkdir -p "$out"

import-yt8m "$records" -o "$out/train.h5" || (($? == 1)) # 1: some records are damaged
split-videos "$out/train.h5" --labels "$out/train.labels.csv" --test-size 0.1 --validation-size 0.1 -o "$out/split.csv"
for arch in $archs; do
    train-head "$out/train.h5" --split "$out/split.csv" --arch "$arch" --epochs "$epochs" -o "$out/head-$arch"
done
