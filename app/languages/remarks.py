"""What the statistics remark beside their numbers, by patterns, and the names of places in results.

The statistics know of no language, and their remarks stand in analysis.json as they are. A test
asks that every remark of the results of a study is here.
"""

from app.domain.sentences import said

REMARKS = (
    said("these readers only, on cases like these"),
    said("One reader: the result is about this reader, on cases like these."),
    said("No variance among the events or among the non-events: the normal test misleads."),
    said(
        "NRI and IDI can improve without any gain: they reward miscalibrated scores (Hilden and "
        "Gerds 2014), and the p-values of the NRI mislead (Pepe 2014, Kerr 2014). Read them "
        "beside the differences of AUC and Brier score and the counts of changed calls."
    ),
    said(
        "Some probabilities are exactly 0 or 1 and have no log odds, so calibration in the large "
        "and slope are undefined."
    ),
    said("One category or one group only: there is nothing to test."),
    said("Too few or equal values: there is nothing to test."),
    said("Expected counts below 5, but too many tables for Fisher's test: read with care."),
    said("{name} is known in one group only: there is nothing to compare."),
    said("All calls are the same, so agreement beyond chance is undefined."),
    said("The AUCs differ without any variance between cases, so no test can be made."),
    said("paired bootstrap, stratified by truth"),
    said(
        "Shapiro-Wilk in each group, then Student, Welch (Levene from the median) or Mann-Whitney; "
        "chi-squared, or Fisher's exact test where an expected count is below 5; standardised "
        "differences (Austin 2009)"
    ),
    said(
        "{readers} readers: the result is about these readers only, on cases like these. So few "
        "cannot stand for readers in general: the variation between readers would be estimated "
        "from {freedom} degrees of freedom."
    ),
    said(
        "{readers} readers: the result is about these readers only, on cases like these. So few "
        "cannot stand for readers in general: the variation between readers would be estimated "
        "from {freedom} degree of freedom."
    ),
    said(
        "{readers} readers: the test treats them as a sample of readers like these, but so few "
        "carry no claim about readers in general."
    ),
    said(
        "{missing} cases were read in one modality only; the paired comparison leaves them out "
        "and uses {used} cases."
    ),
    said(
        "One kind of call is always right or always wrong here, so the logistic regression has no "
        "finite estimate; the refitted risks are its limit, the observed shares."
    ),
    said("A logistic regression needs cases of both classes."),
    said("The score separates the classes, so the logistic regression has no finite estimate."),
    said("The logistic regression did not converge."),
    said(
        "{what}. The Obuchowski-Rockette analysis needs cases that everybody read in both, and is "
        "refused; the U-statistics serve such a design, for readers and cases like these."
    ),
    said("No reader read in both modalities: readers are nested in modalities"),
    said("No case was read in both modalities: cases are nested in modalities"),
    said("No case was read by every reader in both modalities: split-plot or unbalanced"),
    said("No reading has a {what}, so there is nothing to average."),
    said("score"),
    said("call"),
    said(
        "{cases} cases lack a {what} of some reader; the Obuchowski-Rockette analysis leaves them "
        "out, the U-statistics keep them."
    ),
    said("No analysis over readers: {refused}"),
    said("A covariance needs two cases of each class, not {positive} and {negative}."),
    said("A covariance needs two cases, not {cases}."),
    said("No U-statistics: {refused}"),
    said("No reader read a case of each class in both modalities."),
    said("No two readers read different cases, so no variance can be estimated."),
    said(
        "U-statistics need two readers and two cases of each class, not {readers} readers, "
        "{positive} positive and {negative} negative cases."
    ),
    said("The {what} is not positive, so no test of the difference can be made."),
    said("denominator of the F test"),
    said("variance of the difference"),
    said("The {which} has no such call, so the value is undefined."),
    said("The two values have no variance, so no test can be made."),
    said("Scores speak for {other}; they were turned to speak for {positive}."),
    said("{readings} third or later readings of a case by the same reader were not used."),
    said("Scores lie outside 0 to 1, so they are no risks: no IDI, no Brier score on them."),
    said("Left out, as not asked for: {modalities}."),
    said("There is only one modality, {modality}, so there is nothing to compare."),
    said(
        "No modality is named {baseline} or {comparison}; {first} was taken as the baseline and "
        "{second} as the comparison. Name them to choose otherwise."
    ),
    said("Every reading carries a call, so the threshold was not used."),
    said("{readings} readings without a call were called by score >= {threshold}."),
    said(
        "On {cases} cases readers saw different outputs of the model (several versions?); these "
        "cases are left out of the model's own results."
    ),
    said("There is no case on which the two proportions can be compared."),
    said("There are calls but no scores, so only the AUC of the calls exists."),
    said(
        "There is no call and no threshold that would turn the score into one, so sensitivity, "
        "specificity and the predictive values are undefined."
    ),
    said(
        "Undefined with {events} events and {others} non-events: at least {least} of each are "
        "needed."
    ),
    said(
        "No z and no p: {events} events and {others} non-events, and below {fewest} of either the "
        "normal approximation misleads."
    ),
    said(
        "{what} is undefined with {positive} positive and {negative} negative cases: at least two "
        "of each are needed for a variance, one of each for an area."
    ),
    said("The AUC"),
    said("The standard error of the AUC"),
    said("The difference of AUCs"),
    said("The test of the difference of AUCs"),
    said(
        "The AUC is exactly {area}: DeLong's standard error is 0 and its interval a point, which "
        "is too narrow. The score interval beside it (Newcombe 2006) is not."
    ),
    said("DeLong's standard error is 0, as all placements are equal; read no interval."),
    said(
        "Every AUC lies below one half while every reader calls better than chance: do high scores "
        "speak for the other class? Nothing was turned."
    ),
    said("Scores beyond {largest} cannot be squared: not compared."),
    said("The estimated variance is not positive, so no test and no interval is given."),
    said("and at {count} more places"),
)

# The words of a remark's place: "R01, comparison, nri, refitted category free".
PLACES = (
    said("comparison"),
    said("baseline"),
    said("auc"),
    said("auc calls"),
    said("accuracy"),
    said("sensitivity"),
    said("specificity"),
    said("ppv"),
    said("npv"),
    said("nri"),
    said("idi"),
    said("calls"),
    said("scores"),
    said("category free"),
    said("refitted"),
    said("refitted category free"),
    said("calibration"),
    said("mrmc"),
    said("u statistics"),
    said("u statistics modalities"),
    said("mle"),
    said("unbiased"),
    said("obuchowski rockette"),
    said("delong"),
    said("agreement"),
    said("model"),
    said("kappa"),
    said("ac1"),
    said("ac2"),
    said("within"),
    said("pairs"),
    said("categorical"),
    said("numeric"),
    said("modalities"),
    said("reliance"),
    said("reference source"),
    said("jackknife"),
    said("random readers random cases"),
    said("random readers fixed cases"),
    said("fixed readers random cases"),
)
