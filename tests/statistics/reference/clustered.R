# Clustered data: Rscript clustered.R > clustered.R.json, in this folder. Makes data/clustered.csv.
# AUC: the formulas of Obuchowski (Biometrics 1997;53:567) as printed, pair by pair; DeLong by pROC.
# Shares, means and calibration: cluster-robust variances of lm and glm by the package sandwich.
suppressMessages({ library(pROC); library(sandwich) })
options(digits = 17)
set.seed(20261)
# 60 patients with 1 to 5 images; some have images of both classes; scores correlate inside patients.
images <- sample(1:5, 60, replace = TRUE)
patient <- rep(seq_len(60), images)
base <- rnorm(60)[patient]
lean <- plogis(rnorm(60, 0.3, 2))[patient]
truth <- rbinom(length(patient), 1, lean)
draw <- function(gain) round(plogis(gain * truth - 0.4 + 0.8 * base + rnorm(length(patient))), 2)
d <- data.frame(patient = sprintf("P%02d", patient), truth = truth, first = draw(1.0),
                second = draw(1.4))
d$first <- pmin(pmax(d$first, 0.01), 0.99); d$second <- pmin(pmax(d$second, 0.01), 0.99)
write.csv(d, "data/clustered.csv", row.names = FALSE, quote = FALSE)

psi <- function(x, y) if (x > y) 1 else if (x == y) 0.5 else 0
components <- function(score) {
  x <- score[d$truth == 1]; y <- score[d$truth == 0]
  v10 <- sapply(x, function(a) mean(sapply(y, function(b) psi(a, b))))
  v01 <- sapply(y, function(b) mean(sapply(x, function(a) psi(a, b))))
  list(v10 = v10, v01 = v01, theta = mean(v10))
}
clusters <- unique(d$patient)
px <- d$patient[d$truth == 1]; py <- d$patient[d$truth == 0]
m <- length(px); n <- length(py); I <- length(clusters)
I10 <- length(unique(px)); I01 <- length(unique(py))
covariance <- function(a, b) {
  s10 <- 0; s01 <- 0; s11 <- 0
  for (i in clusters) {
    mi <- sum(px == i); ni <- sum(py == i)
    ax <- sum(a$v10[px == i]) - mi * a$theta; ay <- sum(a$v01[py == i]) - ni * a$theta
    bx <- sum(b$v10[px == i]) - mi * b$theta; by <- sum(b$v01[py == i]) - ni * b$theta
    if (mi > 0) s10 <- s10 + ax * bx
    if (ni > 0) s01 <- s01 + ay * by
    s11 <- s11 + (ax * by + ay * bx) / 2
  }
  s10 <- s10 * I10 / ((I10 - 1) * m); s01 <- s01 * I01 / ((I01 - 1) * n); s11 <- s11 * I / (I - 1)
  s10 / m + s01 / n + 2 * s11 / (m * n)
}
one <- components(d$first); two <- components(d$second)
out <- list()
out$auc_first <- c(one$theta, sqrt(covariance(one, one)))
out$auc_second <- c(two$theta, sqrt(covariance(two, two)))
out$auc_difference <- c(two$theta - one$theta,
  sqrt(covariance(one, one) + covariance(two, two) - 2 * covariance(one, two)))
out$delong_first <- c(as.numeric(auc(roc(d$truth, d$first, direction = "<", quiet = TRUE))),
  sqrt(var(roc(d$truth, d$first, direction = "<", quiet = TRUE))))
out$counts <- c(m, n, I, I10, I01)

# A share as an intercept: vcovCL without small-sample factor of the residuals, with I/(I - 1).
share <- function(right, chosen) {
  fit <- lm(right[chosen] ~ 1)
  v <- vcovCL(fit, cluster = d$patient[chosen], type = "HC0", cadjust = TRUE)
  p <- unname(coef(fit)); k <- sum(chosen)
  effect <- v[1] / (p * (1 - p) / (k - 1)); ne <- k / max(1, effect)
  limits <- prop.test(p * ne, ne, correct = FALSE)$conf.int
  c(sum(right[chosen]), k, length(unique(d$patient[chosen])), p, sqrt(v[1]), effect, limits)
}
called <- as.numeric(d$first >= 0.5)
out$sensitivity <- share(called, d$truth == 1)
out$specificity <- share(1 - called, d$truth == 0)
out$ppv <- share(d$truth, called == 1)
out$npv <- share(1 - d$truth, called == 0)
brier <- lm(I((d$first - d$truth)^2) ~ 1)
out$brier <- c(unname(coef(brier)),
  sqrt(vcovCL(brier, cluster = d$patient, type = "HC0", cadjust = TRUE)[1]))

ctl <- glm.control(epsilon = 1e-14, maxit = 100)
lp <- qlogis(d$first)
fit <- glm(truth ~ lp, data = d, family = binomial, control = ctl)
v <- vcovCL(fit, cluster = d$patient, type = "HC0", cadjust = TRUE)
out$calibration <- c(unname(coef(fit)), sqrt(diag(v)))
large <- glm(truth ~ offset(lp), data = d, family = binomial, control = ctl)
out$in_the_large <- c(unname(coef(large)),
  sqrt(vcovCL(large, cluster = d$patient, type = "HC0", cadjust = TRUE)[1]))
out$versions <- paste(R.version.string, "pROC", packageVersion("pROC"), "sandwich",
  packageVersion("sandwich"))
cat(jsonlite::toJSON(out, digits = NA, auto_unbox = TRUE, pretty = TRUE), "\n")
