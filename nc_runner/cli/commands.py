"""The plain words of the command line, each with the words that explain it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from nc_runner.cli.cache import cache
from nc_runner.cli.claims import claims
from nc_runner.cli.listing import list_experiments
from nc_runner.cli.measure import measure
from nc_runner.cli.new import new
from nc_runner.errors import UserError, say
from nc_runner.run.replot import existing_folder, plot


@dataclass(frozen=True)
class Command:
    """A plain word.

    Attributes:
        run: takes the words after it, and gives the exit code.
        usage: the word with what follows it.
        summary: a few words for the list of commands.
        help: what ``nc-run WORD --help`` says.
    """

    run: Callable[[list[str]], int]
    usage: str
    summary: str
    help: str


def cite(words: list[str]) -> int:
    """BibTeX of an experiment's paper."""
    from nc_runner import experiments

    name = _one(words, "cite", "EXPERIMENT")
    paper = experiments.paper_of(experiments.load(name))
    if not paper.bibtex:
        raise UserError(f"cite {name}: its record has no paper; allowed is one with reference=Paper(...).")
    print(paper.bibtex)
    return 0


def resume(words: list[str]) -> int:
    """Go on with a run that was interrupted, killed or failed."""
    from nc_runner.config.keys import flatten
    from nc_runner.config.schema import Config
    from nc_runner.record.folder import RunFolder
    from nc_runner.record.provenance import elsewhere
    from nc_runner.run.plan import make_plan, stacks_by_name
    from nc_runner.run.results import read_config, read_overrides
    from nc_runner.run.run import run

    path = existing_folder(_one(words, "resume", "FOLDER"))
    folder = RunFolder(path)
    config = read_config(folder)
    if folder.read_status().get("state") == "completed":
        raise UserError(f"{path}: this run is completed, there is nothing to resume; nc-run plot draws it again.")
    started = folder.read_json("provenance.json") if (path / "provenance.json").exists() else None
    if started:
        # A key that came with a later version has its default, which changes nothing.
        started_with, now_says = flatten(Config()) | started["config"], flatten(config)
        keys = [key for key in now_says if started_with[key] != now_says[key]]
        if keys:
            changes = ", ".join(f"{key} (was {started_with[key]}, is {now_says[key]})" for key in keys)
            raise UserError(
                f"{path}: its config no longer matches what it was started with: {changes}; start a new run instead."
            )
    plan = make_plan(config, read_overrides(folder))
    if started and set(started["data_sha256"].values()) != set(plan.data.values()):
        sets = ", ".join(
            line for line, checksum in plan.data.items() if checksum not in started["data_sha256"].values()
        )
        raise UserError(f"{path}: its data are not those it was started with ({sets}); start a new run instead.")
    if started:
        began_on = "cpu" if started["device"] == "cpu" else "cuda"
        if began_on != plan.device.type and stacks_by_name(plan.trials, began_on) != plan.stacks:
            raise UserError(
                f"{path}: was begun with device={began_on}, where other trials train together than with "
                f"device={plan.device.type}, so its checkpoints do not fit; allowed is a machine with a "
                f"{'GPU' if began_on == 'cuda' else 'CPU'}, or a new run."
            )
    for difference in elsewhere(started, plan.device) if started else []:
        say(f"{difference}; what follows will not be the same bits as an undisturbed run.")
    return run(plan, folder)


def _one(words: list[str], command: str, what: str) -> str:
    if len(words) != 1:
        raise UserError(f"{command}: {len(words)} words were given; allowed is one {what}.")
    return words[0]


COMMANDS = {
    "list": Command(
        list_experiments,
        "list [--json]",
        "experiments by paper, with their time",
        """\
Lists every experiment under its paper: name, figure, time at scale=paper on two
cores (~ is an estimate), and what it shows, cut to the width of the terminal.

  --json    everything about them, whole, for programs""",
    ),
    "plot": Command(
        plot,
        "plot FOLDER [FOLDER ...] [KEY=VALUE ...]",
        "figures and claims again",
        """\
Draws the figures and judges the claims again from the tables of a run. Nothing is
trained. Of one folder, what is in it is replaced.

Several folders, or the folder of a multirun, are put together: a trial that two of
them have counts once. Several folders go to a new one,
outputs/EXPERIMENT/DATE_TIME_merged; a multirun's figures go into its own.

A figure shows trials that differ in its own axes and the seed alone. Of a run or a
multirun that varies another key each value has figures and claims of its own.
Several folders that differ in another key are refused, with what to type.

  width=3.3        inches; 3.3 and 6.75 are a journal's columns. No letter is
                   smaller than 7 pt, and panels go under one another
  style=FILE       a matplotlib style sheet, or one of matplotlib's by name; it
                   comes after ours and your own matplotlibrc
  caption=false    none under the figure; NAME.md has it in any case
  format=pdf,svg   of png, pdf, svg. PDF has its fonts embedded (TrueType), SVG
                   its letters as outlines
  by=KEY,KEY       figures and claims for each value of these keys
  x=KEY            one more figure, over_KEY: metrics over any varied key, or
                   the seed; a line a value of the other keys
  metrics=A,B      what that figure shows; the experiment's headline by default
  xscale=log       of all horizontal axes: linear, log, symlog. An axis with
                   values of 0 or less stays as it is under log
  out=FOLDER       the figures alone, into this folder

In a run the same keys are figures.width=3.3 and so on; a list is [pdf,svg] there.""",
    ),
    "claims": Command(
        claims,
        "claims FOLDER [--json]",
        "every claim in full",
        """\
Prints each claim of a run: the statement, where the paper makes it, the rule, what was
measured, and what it needs before it can be judged, met or not. A claim of which a
need is not met is undecided. The exit code is 0 whatever the verdicts.

  --json    as in claims.json, for programs""",
    ),
    "measure": Command(
        measure,
        "measure FILE [FILE ...] [--json]",
        "our measures on your features",
        """\
Measures the features of any network: NC1 to NC4 and others, each with its value at
collapse. A FILE is .npz, .npy, .safetensors, .pt or .pth (tensors alone), .parquet (a
column of lists), .h5 or .hdf5. Files are read in batches, twice, never as a whole.

Layers are the arrays features, features/NAME and features.NAME; in a file without any
of these all arrays with a row a sample. labels has a number a sample; weight [K, D] and
bias [K] are of the classifier, and belong to features or to the last layer, weight/NAME
and bias/NAME to NAME. Row k is that of label k.

  --features KEY     this layer; may be given again, and be a pattern: 'block*'
  --labels KEY       of another name, or a .npy file of their own
  --weight KEY       the same of the classifier
  --bias KEY
  --ignore-index -1  leave out the samples of this label
  --json             {"layers": {LAYER: {MEASURE: value}}}, undefined as null;
                     of several files {"files": {FILE: {"layers": ...}}}
  --plot             curves over several files, by the number in their names, or
                     over the layers of one, into outputs/measure/DATE_TIME

What each measure is: docs/measures.md. A mistake ends with exit code 2 and no output.""",
    ),
    "resume": Command(
        resume,
        "resume FOLDER",
        "go on with an interrupted run",
        """\
Goes on with a run that was interrupted, killed or failed, from its last checkpoint,
to the same bits as a run that nothing disturbed. Where the machine or torch differs
it says so and goes on; from a GPU to a CPU it goes on where the same trials train
together. A config that was changed since is refused.""",
    ),
    "cache": Command(
        cache,
        "cache [--clear]",
        "decoded images on this machine",
        """\
Says where decoded images are kept, so that a data set is decoded once a machine, and
how much they take. The folder is NC_CACHE, else the platform's for caches, such as
~/.cache/nc-run. Whatever is in it can be made again, and is where it is missing.

  --clear    removes them, and nothing else that is there""",
    ),
    "cite": Command(
        cite,
        "cite EXPERIMENT",
        "BibTeX of its paper",
        "Prints the BibTeX of the paper that an experiment reproduces.",
    ),
    "new": Command(
        new,
        "new NAME",
        "a package of your own experiment",
        """\
Writes a folder NAME, a Python package with one experiment in it that runs as it is:
what to run in src/NAME/conf, what to measure, draw and claim in src/NAME/experiment.py,
and a test. Change it to your own; docs/adding-an-experiment.md tells what is what.

  pip install -e ./NAME                      nc-run list shows it then
  nc-run experiment=NAME scale=smoke         in seconds""",
    ),
}
