#!/bin/sh
# Every study of docs/claims.md into studies/claims, one after the other; about six hours on two cores. Started again it
# goes on where it was. Fashion-MNIST is Debian's dataset-fashion-mnist.
set -eu
here=$(dirname "$0")
mkdir -p "${1:-studies/claims}"
out=$(cd "${1:-studies/claims}" && pwd)   # whole, since a recipe's paths begin at the recipe
taught="--set teacher.train=null --set teacher.from=$out"

limbeck study data "$here/digits.yaml" --out "$out/digits-data"
of_digits="$taught/digits-data/teacher"
limbeck study time "$here/digits.yaml" $of_digits --out "$out/digits-time"
limbeck study schedule "$here/digits.yaml" $of_digits --out "$out/digits-schedule"
limbeck study temperature "$here/digits.yaml" $of_digits --set train.evaluations=20 --out "$out/digits-temperature"
limbeck study missing-class "$here/digits.yaml" $of_digits --without 3 --out "$out/digits-missing"
limbeck study methods "$here/digits.yaml" $of_digits --out "$out/digits-methods"
limbeck study fidelity "$out/digits-methods" --out "$out/digits-fidelity"
limbeck study born-again "$here/born-again-digits.yaml" --out "$out/born-again-digits"
limbeck study ensembles "$here/ensembles-digits.yaml" --out "$out/ensembles-digits"
limbeck study teachers "$here/teachers-digits.yaml" --out "$out/teachers-digits"

limbeck study schedule "$here/fashion.yaml" --out "$out/fashion-schedule"
of_fashion="$taught/fashion-schedule/teacher"
limbeck study time "$here/fashion.yaml" $of_fashion --out "$out/fashion-time"
limbeck study temperature "$here/fashion.yaml" $of_fashion --set train.evaluations=20 --seeds 10 \
  --out "$out/fashion-temperature"
limbeck study missing-class "$here/fashion.yaml" --without 3 $of_fashion --out "$out/fashion-missing"
limbeck study born-again "$here/born-again-few.yaml" --trust-code --seeds 8 --out "$out/born-again-few"
limbeck study data "$here/fashion.yaml" --set teacher.train.epochs=5 --out "$out/fashion-data"
limbeck study born-again "$here/born-again-fashion.yaml" --out "$out/born-again-fashion"
limbeck study ensembles "$here/ensembles-fashion.yaml" --out "$out/ensembles-fashion"
limbeck study teachers "$here/teachers-fashion.yaml" --out "$out/teachers-fashion"

for data in digits fashion; do
  fitnets="$out/fitnets-$data"
  limbeck distil "$here/fitnets-$data.yaml" --out "$fitnets"
  limbeck distil "$here/fitnets-$data.yaml" --set stages=null $taught/fitnets-$data/teacher --out "$fitnets-hintless"
done
limbeck distil "$here/fitnets-fashion.yaml" --set stages=null --set teacher.train.epochs=80 --set train.epochs=1 \
  --set verdict.seeds=0 --out "$out/fitnets-fashion-longer"

limbeck distil "$here/../../examples/fashion.yaml" --set teacher.train.epochs=24 --out "$out/fashion"
limbeck study methods "$here/fashion-methods.yaml" --set teacher.from="$out/fashion/teacher" --out "$out/fashion-methods"
limbeck study fidelity "$out/fashion-methods" --out "$out/fashion-fidelity"
