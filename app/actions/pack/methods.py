"""The methods text of a pack: sentences made from the study's own settings and data.

Each paragraph ends with the files that its numbers come from.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from statistics import median

from app.domain.scores import NAMES
from app.domain.study_design import FIVE_STEPS
from app.domain.study_facts import StudyFacts, result

_ORDER = (
    "Each case was called unaided first; the call was locked by the server before any output of "
    "the model left the database, and the reader then gave a revised call"
)
_DESIGNS = {
    "sequential": f"The study was sequential. {_ORDER}.",
    "hidden_share": (
        f"The study was sequential. {_ORDER}, except for a share of each reader's cases, drawn "
        "beforehand and not told, for which no output was shown after the lock ({share}%)."
    ),
    "crossover": (
        "The study was a crossover: each reader read the cases in two sessions, one with and one "
        "without the model, at least {washout} days apart. With the model, too, an unaided call "
        "was locked before the output was shown; it does not enter the comparison."
    ),
    "parallel": (
        "The study had parallel arms: some readers read with the model and some without it. With "
        "the model, an unaided call was locked before the output was shown; it does not enter "
        "the comparison."
    ),
}
# How the arms of a design were drawn, as app/domain/allocation.py draws them.
_ARMS = {
    "sequential": "",
    "hidden_share": (
        " The share without the model was drawn with the orders, in turn over the cases, so that "
        "from two readers on every case is read with the model by some reader."
    ),
    "crossover": (
        " Half of the cases came with the model in a reader's first session and the other half in "
        "the second, changed over for the next reader."
    ),
    "parallel": (
        " Readers were assigned to the arms in pairs, one of a pair to each arm, in the order in "
        "which their orders were drawn."
    ),
}
# By their places here, which the text below cites; a study's own text numbers them anew.
_CITATION = re.compile(r"\[(\d(?:, \d)*)\]")
_REFERENCES = (
    "DeLong, DeLong, Clarke-Pearson. Biometrics 1988;44:837.",
    "Obuchowski, Rockette. Communications in Statistics - Simulation 1995;24:285.",
    "Hillis. Statistics in Medicine 2007;26:596; 2014;33:330.",
    "Wilson. JASA 1927;22:209.",
    "McNemar. Psychometrika 1947;12:153. Tango. Statistics in Medicine 1998;17:891.",
    (
        "Leisenring, Alonzo, Pepe. Biometrics 2000;56:345. Kosinski. Statistics in Medicine "
        "2013;32:964."
    ),
    "Pencina et al. Statistics in Medicine 2008;27:157; 2011;30:11.",
    "Efron, Tibshirani. An Introduction to the Bootstrap, 1993.",
    "Gallas et al. Communications in Statistics - Theory and Methods 2009;38:2586.",
)


def count(number: int, thing: str, things: str | None = None) -> str:
    """Write a number with its noun."""
    return f"{number:,} {thing if number == 1 else things or thing + 's'}"


def listed(parts: Sequence[str]) -> str:
    """Join parts as a sentence does."""
    return " and ".join(part for part in (", ".join(parts[:-1]), *parts[-1:]) if part)


def design(facts: StudyFacts) -> str:
    """Say the design."""
    said = _DESIGNS[facts.design].format(
        share=facts.study.get("unaided_only_percent", 0),
        washout=facts.study.get("washout_days", 28),
    )
    positive = str(facts.study["positive_class"])
    question = (
        f" For each case the question was {NAMES['BCC'].lower()} (BCC) or {NAMES['SK'].lower()} "
        f"(SK); {positive} is the positive class."
    )
    repeats = int(facts.study.get("repeats", 0))
    read = count(repeats, "case was", "cases were")
    again = f" {read} read twice by each reader." if repeats else ""
    other = len({reader for reader, _, _ in facts.overrides})
    waived = (
        f" For {count(other, 'reader')} another washout was set; the deviations name them."
        if other
        else ""
    )
    return said + waived + question + again


def readers(facts: StudyFacts) -> str:
    """Say who read, simulated readers first of all."""
    said = f"{count(len(facts.readers), 'reader')} took part."
    if facts.simulated:
        all_of_them = len(facts.simulated) == len(facts.readers)
        who = "all" if all_of_them else listed(facts.simulated)
        said += (
            f" **{count(len(facts.simulated), 'of them is a program', 'of them are programs')}, "
            f"not people ({who}): simulated readings, which say nothing about any clinician.**"
        )
    made = sum(reader.unaided for reader in facts.readers)
    revised = sum(reader.aided for reader in facts.readers)
    planned = sum(reader.assigned for reader in facts.readers)
    idle = [reader.code for reader in facts.readers if not reader.unaided]
    nothing = f" No call was made by {listed(idle)}." if idle else ""
    return (
        f"{said}{_experience(facts)} {count(planned, 'place')} of their orders were to be read, "
        "training cases and repeats among them, and cases that were excluded later; "
        f"{made:,} unaided and {revised:,} revised calls were locked.{nothing}{_consent(facts)}"
    )


def _consent(facts: StudyFacts) -> str:
    """Say which versions of the consent text there were, and how many readers accepted each."""
    if not facts.consents:
        return " The study had no consent text in the system."
    accepted = listed(
        [
            f"version {version} was accepted by {count(readers, 'reader')}"
            for version, readers in enumerate(facts.consents, start=1)
        ]
    )
    apart = ", programs apart," if facts.simulated else ""
    return (
        f" From its writing on, no case was shown to a reader{apart} who had not accepted the "
        f"version of the consent text that held: {accepted}."
    )


def _experience(facts: StudyFacts) -> str:
    """Say what the readers stated of themselves: readers.csv has it one by one."""
    stated = [reader for reader in facts.readers if reader.years_experience is not None]
    if not stated:
        return ""
    years = sorted(reader.years_experience or 0 for reader in stated)
    asked = "" if len(stated) == len(facts.readers) else f" ({len(stated)} of them were asked)"
    return (
        f" They stated{asked} a median of {median(years):g} years of experience (range {years[0]} "
        f"to {years[-1]}); specialty: {_tally(reader.specialty for reader in stated)}; training: "
        f"{_tally(reader.training for reader in stated)}."
    )


def _tally(answers: Iterable[str]) -> str:
    return listed([f"{answer} ({number})" for answer, number in Counter(answers).most_common()])


def cases(facts: StudyFacts) -> str:
    """Say how many cases, images and patients, and how the diagnoses were made."""
    truth = listed([f"{number:,} {name}" for name, number in facts.truth.items()])
    said = (
        f"{count(facts.cases, 'case')} with {count(facts.images, 'image')} were imported: {truth}."
    )
    if facts.copied:
        said += (
            f" {count(facts.copied, 'case was', 'cases were')} copied, under new codes, from the "
            f"study `{facts.study['copied_from']}` of the same installation."
        )
    if facts.patients and facts.without_patient:
        said += (
            f" Of {facts.cases - facts.without_patient:,} the patient is named: "
            f"{count(facts.patients, 'patient')}."
        )
    elif facts.patients:
        said += f" They are of {count(facts.patients, 'patient')}."
    if facts.training:
        said += f" {count(facts.training, 'case')} of these served for training and do not count."
    if facts.synthetic_images:
        said += (
            f" **{count(facts.synthetic_images, 'image was', 'images were')} generated and no "
            "photograph of a person.**"
        )
    return said + _seen_before(facts)


_KINDS = {
    "training": "image alike one of the model's training images",
    "patient": "of a patient among the model's",
    "twice": "image alike one of another case",
}


def _seen_before(facts: StudyFacts) -> str:
    """Say what was compared with the model's training images, what was found, why it stayed."""
    said = ""
    if facts.training_list is not None:
        images, digest = facts.training_list
        said = (
            f" Images and, where named, patients were compared with the {images:,} images that the "
            f"model was registered with as its training images (SHA-256 of the list {digest}), and "
            "with one another."
            if images
            else " The model was registered without a list of its training images: whether it has "
            "seen these pictures is not known."
        )
        if images and not facts.seen_before:
            said += " Nothing alike was found."
    for row in facts.seen_before:
        kinds = [
            f"{number}x {_KINDS.get(kind, kind)}" for kind, number in (row.by_kind or {}).items()
        ]
        which = f" ({listed(kinds)})" if kinds else ""
        said += (
            f" {count(row.matches, 'match was', 'matches were')} looked at and kept{which}, for "
            f"this reason: {' '.join(row.reason.split())}"
        )
        said += "" if said.endswith((".", "!", "?")) else "."
    return said


def reference_standard(facts: StudyFacts) -> str:
    """Say how the diagnoses were made."""
    sources = listed([f"{source} ({name}, {number:,})" for name, source, number in facts.sources])
    if not facts.adjudicated:
        stated = "as stated at import"
    elif facts.adjudicated == sum(facts.truth.values()):
        stated = "as recorded in the study by adjudicators who never read in it"
    else:
        stated = (
            f"as stated at import, and of {count(facts.adjudicated, 'case')} as recorded in the "
            "study by adjudicators who never read in it"
        )
    return (
        f"The reference standard, {stated}: {sources}. No reader could see it, and no page showed "
        "it to readers or coordinators before unblinding."
    )


def allocation(facts: StudyFacts) -> str:
    """Say how the orders were drawn, and what was appended to them."""
    added = sum(number for number, _ in facts.additions)
    appended = (
        f" {count(added, 'case was', 'cases were')} added while the study was open, in "
        f"{count(len(facts.additions), 'addition')}: appended to every order behind what had been "
        "drawn, in an order drawn from the same seed by the same algorithm."
        if added
        else ""
    )
    return (
        "Each reader saw the cases in an order of their own, drawn once by the algorithm "
        f"`{facts.study['allocation_algorithm']}` from a recorded seed (SHA-256 of the seed: "
        f"{facts.seed_sha256}), stored and hashed before the first case was shown. The order "
        "depends on neither diagnosis, model output nor the order of upload."
        f"{_ARMS[facts.design]}{appended}"
    )


def model(facts: StudyFacts) -> str:
    """Say which model was used and what of it was shown."""
    if facts.model is None:
        return "No model is recorded."
    shown = [
        name
        for name, key in (
            ("the probability of BCC", "show_probability"),
            ("the model's call", "show_label"),
            ("a Grad-CAM map over the image", "show_overlay"),
        )
        if facts.study.get(key, True)
    ]
    if facts.study.get("show_performance"):
        shown.append("its sensitivity and specificity on its test images, where recorded")
    when = (
        "After the unaided call"
        if facts.design == "sequential"
        else "Where a case was read with the model, after the unaided call,"
    )
    demonstration = (
        " **It is a demonstration model, which has never seen a patient.**"
        if facts.model.get("demonstration")
        else ""
    )
    return (
        f"The model was {facts.model['name']} (backbone {facts.model['backbone']}, SHA-256 of its "
        f"weights {facts.model['weights_sha256']}); a case was called BCC from a probability of "
        f"{facts.model['threshold']:g}. {when} readers were shown {listed(shown)}."
        f"{demonstration} Model, images and settings were fixed when the study was opened."
    )


def reading(facts: StudyFacts) -> str:
    """Say what was asked and how it was kept."""
    scale = "from 0 to 100 per cent"
    if facts.study.get("confidence_scale") == "five_steps":
        scale = f"in five steps ({listed([str(step) for step in FIVE_STEPS])} per cent)"
    asked = ["a call (BCC or SK)", f"a confidence {scale} in that call"]
    if facts.study.get("ask_management"):
        asked.append("the management (biopsy or no biopsy)")
    if facts.study.get("ask_comment"):
        asked.append("a comment")
    sitting = facts.study.get("cases_per_sitting")
    pause = f" A sitting had {sitting} cases." if sitting else ""
    return (
        f"For every call readers gave {listed(asked)}; nothing was preselected. Call and "
        "confidence make the malignancy score: (100 + confidence)/200 for BCC and "
        f"(100 - confidence)/200 for SK. A locked call could not be changed.{pause} Every step "
        "was written by the database into a log whose entries are chained by SHA-256; the order "
        "of lock, release of the output and revised call is proven by that log, not by clocks."
    )


def statistics(facts: StudyFacts) -> str:
    """Say how the results were computed; what is cited is numbered in the order of its mention."""
    text = _analysis(facts)
    cited = _cited(text)

    def numbered(found: re.Match[str]) -> str:
        return f"[{', '.join(str(cited.index(n) + 1) for n in found[1].split(', '))}]"

    return _CITATION.sub(numbered, text)


def references(facts: StudyFacts) -> list[str]:
    """Return what the section on statistics cites, in the order of its numbers there."""
    return [_REFERENCES[int(number) - 1] for number in _cited(_analysis(facts))]


def _cited(text: str) -> list[str]:
    found = [number for match in _CITATION.finditer(text) for number in match[1].split(", ")]
    return list(dict.fromkeys(found))


def _analysis(facts: StudyFacts) -> str:
    """Say how the numbers were computed."""
    if "refused" in facts.results:
        return f"No analysis was made: {facts.results['refused']}"
    resamples = result(facts, "readers", 0, "comparison", "bootstrap", "resamples")
    seed = result(facts, "readers", 0, "comparison", "bootstrap", "seed")
    bootstrap = (
        f" Bootstrap intervals come from {resamples:,} resamples of cases within each class (seed "
        f"{seed}) [8]."
        if resamples
        else ""
    )
    default = result(facts, "mrmc", "auc", "default")
    if not default:
        together = ""
    elif default == "u_statistics" and result(facts, "mrmc", "auc", "obuchowski_rockette"):
        together = (
            " All readers together were analysed by U-statistics [9], which use every reading, "
            "over readers and cases like these: fewer than nine tenths of the cases were read by "
            "everybody in both modalities. Obuchowski and Rockette's method with Hillis's degrees "
            "of freedom [2, 3], on those cases alone, stands beside it in results.json. "
            f"{result(facts, 'mrmc', 'population')}"
        )
    elif result(facts, "mrmc", "auc", "obuchowski_rockette"):
        population = str(default).replace("readers_", "readers, ").replace("_", " ")
        together = (
            " All readers together were analysed by Obuchowski and Rockette's method with "
            f"Hillis's degrees of freedom [2, 3] ({population}) and by "
            f"U-statistics [9]. {result(facts, 'mrmc', 'population')}"
        )
    elif result(facts, "mrmc", "auc", "u_statistics"):
        together = (
            " All readers together were analysed by U-statistics [9], over readers and cases like "
            "these: too few cases were read by everybody in both modalities for Obuchowski and "
            f"Rockette's method [2, 3]. {result(facts, 'mrmc', 'population')}"
        )
    else:
        together = " No analysis over all readers could be made; results.json says why."
    analysed = (
        "Corrected readings were analysed as corrected, voided ones left out"
        if _corrects(facts)
        else "Readings were analysed as they were locked"
    )
    return (
        f"{analysed}, as the protocol had it from the opening of the study. "
        f"{_each_reader(facts)}{bootstrap}{together} Intervals "
        "are 95% intervals; p-values are two-sided and not adjusted for several comparisons."
    )


def _each_reader(facts: StudyFacts) -> str:
    """Say how each reader was analysed: in parallel arms nobody is compared with themselves."""
    if facts.design == "parallel":
        return (
            "The area under the ROC curve of the malignancy score was estimated for each reader, "
            "in the arm that they read in, by DeLong's method [1]. Sensitivity, specificity and "
            "predictive values of the calls have Wilson intervals [4]. No reader read in both "
            "arms, so none is compared with themselves, and there is no NRI and no IDI."
        )
    return (
        "The area under the ROC curve of the malignancy score was estimated for each reader "
        "without and with the model, and compared, by DeLong's method [1]. Sensitivity, "
        "specificity and predictive values of the calls have Wilson intervals [4]; their "
        "differences were tested by McNemar's test with Tango's interval [5], those of predictive "
        "values by the weighted generalised score [6]. NRI and IDI are given with their parts [7] "
        "and with the warning that they reward miscalibration."
    )


def where_errors_are(facts: StudyFacts) -> str:
    """Say where the errors of readers with the model are listed."""
    reliance = " and under each reader's reliance (rescued, talked out)"
    return f"results.json, under failures{'' if facts.design == 'parallel' else reliance}"


def where_effects_are(facts: StudyFacts) -> str:
    """Say where sizes of effects are: in parallel arms no reader has a difference."""
    if facts.design == "parallel":
        return (
            "results.json: each reader's counts with their intervals, and the difference between "
            "the arms over all readers, where there is one, under mrmc."
        )
    return "results.json: counts, differences and their intervals."


def where_agreement_is(facts: StudyFacts) -> str:
    """Say where the readers' agreement with the model is."""
    if facts.design == "parallel":
        return (
            "Not computed: the arms are compared, no reader with themselves. The calls that were "
            "locked before the model was shown are in readings_not_counted.csv."
        )
    return (
        "results.json: each reader's agreement with the model, and reliance where model and reader "
        "disagreed."
    )


def missing(facts: StudyFacts) -> str:
    """Say what was missing and how it was handled."""
    made = result(facts, "data", "rows")
    pairs = (
        "." if facts.design == "parallel" else ", comparisons those cases that were read in both."
    )
    said = (
        "Nothing was imputed. Each modality's own figures use all readings of that modality" + pairs
    )
    if made is None or not facts.expected:
        return said
    if facts.design == "hidden_share":
        said += (
            f" By the design no revised call was asked for at {count(facts.without_ai, 'place')} "
            "of the orders; these are not missing."
        )
    absent = facts.expected - int(made)
    of = f"{count(facts.expected, 'reading')} that were to count"
    return (
        f"{said} Of {of}, {absent:,} are missing." if absent else f"{said} None of {of} is missing."
    )


def software(facts: StudyFacts) -> str:
    """Say what computed it, and how to check it."""
    digest = result(facts, "data", "sha256")
    used = f" from readings.csv (SHA-256 {digest})" if digest else ""
    return (
        f"Readings were collected and results computed{used} with reread "
        f"{facts.software_version}. The data were frozen at unblinding on "
        f"{str(facts.study['unblinded_at'])[:10]} (digest {facts.study['data_sha256']}), after "
        f"the study had been closed on {str(facts.study['closed_at'])[:10]}; it was opened on "
        f"{str(facts.study['opened_at'])[:10]}."
    )


def deviations(facts: StudyFacts) -> str:
    """List amendments, additions, exclusions, overrides and corrections, each with its reason."""
    lines = [
        f"- Version {row['number']} of the protocol, {str(row['written_at'])[:10]}: {row['reason']}"
        for row in facts.versions[1:]
    ]
    lines += [
        f"- {count(number, 'case was', 'cases were')} added: {reason}"
        for number, reason in facts.additions
    ]
    for row in facts.excluded:
        lines.append(f"- Case {row.case} was excluded: {row.reason}")
        if row.brought_back is not None:
            lines.append(f"- The exclusion of case {row.case} was undone: {row.brought_back}")
    lines += [
        f"- {reader}'s washout was set to {count(days, 'day')}: {reason}"
        for reader, days, reason in facts.overrides
    ]
    kinds = {"void": "A reading was voided", "correct": "A reading was corrected"}
    lines += [f"- {kinds.get(kind, kind)}: {reason}" for kind, reason in facts.corrections]
    if not lines:
        return (
            "None is recorded: no amendment, addition, exclusion, override, voided or corrected "
            "reading."
        )
    said = "\n".join(" ".join(line.split()) for line in lines)
    return f"{said}\n\n{_used(facts)}" if facts.corrections else said


def _used(facts: StudyFacts) -> str:
    """Say which readings the analysis used, where some are not as they were locked."""
    kinds = Counter(kind for kind, _ in facts.corrections)
    used = (
        f"The analysis uses corrected readings as corrected ({kinds['correct']}) and leaves voided "
        f"ones out ({kinds['void']}); each stands as it was locked in readings_not_counted.csv. "
        if _corrects(facts)
        else "The analysis uses every reading as it was locked, as the protocol has it: corrected "
        f"({kinds['correct']}) and voided ones ({kinds['void']}) too; what was set down of them is "
        "in readings_not_counted.csv. "
    )
    return (
        f"{used}Corrections end with unblinding; until then no page shows calls, outputs or "
        "diagnoses."
    )


def _corrects(facts: StudyFacts) -> bool:
    """Say whether corrections count; studies that do not say it are older than the choice."""
    return facts.study.get("analysed_readings", "corrected") == "corrected"


_SECTIONS = (
    ("Design", design, "study.json"),
    ("Readers", readers, "readers.csv, audit.jsonl"),
    ("Cases", cases, "cases.csv, predictions.csv"),
    ("Reference standard", reference_standard, "cases.csv"),
    ("Allocation", allocation, "study.json, readers.csv, allocation.csv"),
    ("Model", model, "study.json, predictions.csv"),
    ("Reading", reading, "study.json, readings.csv, audit.jsonl"),
    ("Statistical analysis", statistics, "results.json"),
    ("Missing readings", missing, "results.json"),
    ("Software and data", software, "manifest.json, study.json, results.json"),
    ("Deviations and corrections", deviations, "audit.jsonl"),
)


def methods_text(facts: StudyFacts) -> str:
    """Return methods.md."""
    demonstration = (
        "\n**A demonstration study: nothing here says anything about skin cancer.**\n"
        if facts.study.get("demonstration")
        else ""
    )
    parts = [
        f"## {title}\n\n{say(facts)}\n\n*Source: {source}.*\n" for title, say, source in _SECTIONS
    ]
    cited = "\n".join(f"{n}. {text}" for n, text in enumerate(references(facts), start=1))
    return (
        f"# Methods\n\nWritten by the program from the study `{facts.study['code']}` itself, for "
        "the authors to shorten and to complete: how readers and cases were found, ethics, "
        f"registration and funding are not in the data.\n{demonstration}\n"
        + "\n".join(parts)
        + f"\n## References\n\n{cited}\n"
    )
