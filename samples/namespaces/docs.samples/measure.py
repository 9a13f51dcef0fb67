"""Prints how many rows a CSV file has, and their mean."""

import csv
import sys

from kestra import Kestra

with open(sys.argv[1]) as file:
    values = [float(row["value"]) for row in csv.DictReader(file)]
Kestra.outputs({"rows": len(values), "mean": sum(values) / len(values)})
