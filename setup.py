"""The package's description: the README without links and pictures that only a clone can follow."""
import pathlib
import re

from setuptools import setup

README = pathlib.Path(__file__).with_name("README.md").read_text(encoding="utf-8")
TEXT = r"\[((?:[^][]|\[[^][]*\])*)\]"       # brackets within brackets, as in E[x]
RELATIVE = r"\((?!https?:|#)[^)]*\)"
without_pictures = re.sub("!" + TEXT + RELATIVE + r"\n\n", "", README)

setup(long_description=re.sub(TEXT + RELATIVE, r"\1", without_pictures))
