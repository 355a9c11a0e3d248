#!/bin/sh
# Every study of docs/claims.md into studies/claims, one after the other; about six hours on two cores. Started again it
# goes on where it was. Fashion-MNIST is Debian's dataset-fashion-mnist.
set -eu
here=$(dirname "$0")
out=${1:-studies/claims}
taught="--set teacher.train=null --set teacher.from=$out"

limbeck study time "$here/digits.yaml" --out "$out/digits-time"
limbeck study data "$here/digits.yaml" --out "$out/digits-data"
limbeck study temperature "$here/digits.yaml" --out "$out/digits-temperature"
limbeck study missing-class "$here/digits.yaml" --without 3 --out "$out/digits-missing"
limbeck study methods "$here/digits.yaml" --out "$out/digits-methods"
limbeck study fidelity "$out/digits-methods" --out "$out/digits-fidelity"
limbeck study born-again "$here/born-again-digits.yaml" --out "$out/born-again-digits"
limbeck study ensembles "$here/ensembles-digits.yaml" --out "$out/ensembles-digits"
limbeck study teachers "$here/teachers-digits.yaml" --out "$out/teachers-digits"

limbeck study time "$here/fashion.yaml" --out "$out/fashion-time"
limbeck study data "$here/fashion.yaml" --set teacher.train.epochs=5 --out "$out/fashion-data"
limbeck study temperature "$here/fashion.yaml" $taught/fashion-time/teacher --out "$out/fashion-temperature"
limbeck study missing-class "$here/fashion.yaml" --without 3 $taught/fashion-time/teacher --out "$out/fashion-missing"
limbeck study born-again "$here/born-again-fashion.yaml" --out "$out/born-again-fashion"
limbeck study ensembles "$here/ensembles-fashion.yaml" --out "$out/ensembles-fashion"
limbeck study teachers "$here/teachers-fashion.yaml" --out "$out/teachers-fashion"

for data in digits fashion; do
  limbeck distil "$here/fitnets-$data.yaml" --out "$out/fitnets-$data"
  limbeck distil "$here/fitnets-$data.yaml" --set stages=null $taught/fitnets-$data/teacher --out "$out/fitnets-$data-alone"
done
