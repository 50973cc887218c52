# Further references from base R: written from the definitions, by other routes than ours
# (numerical likelihood, glm, lm, leave-one-out loops). Rscript further.R > further.R.json
options(digits = 17)
num <- function(x) if (length(x) == 1 && is.null(names(x))) format(x, digits = 17) else
  paste0("[", paste(format(x, digits = 17), collapse = ","), "]")
emit <- function(name, value) cat(sprintf('%s"%s": %s', if (first) "" else ",\n", name, num(value)))
first <- TRUE
put <- function(name, value) { emit(name, value); first <<- FALSE }
cat("{\n")

# Tango's interval: the restricted likelihood is maximised numerically, the limits by uniroot.
tango <- function(b, c, n) {
  z <- qnorm(0.975)
  stat <- function(d) {
    # probabilities: p12 = q + d (gained), p21 = q (lost)
    lo <- max(0, -d); hi <- (1 - d) / 2
    ll <- function(q) {
      v <- 0
      if (b > 0) v <- v + b * log(q + d)
      if (c > 0) v <- v + c * log(q)
      if (n - b - c > 0) v <- v + (n - b - c) * log(1 - 2 * q - d)
      v
    }
    q <- if (hi - lo < 1e-14) lo else
      optimize(ll, c(lo, hi), maximum = TRUE, tol = 1e-14)$maximum
    (b - c - n * d) / sqrt(n * (2 * q + d * (1 - d)))
  }
  est <- (b - c) / n
  low <- uniroot(function(d) stat(d) - z, c(-1 + 1e-9, est - 1e-9), tol = 1e-13)$root
  high <- uniroot(function(d) stat(d) + z, c(est + 1e-9, 1 - 1e-9), tol = 1e-13)$root
  c(low, high)
}
put("tango_12_2_50", tango(12, 2, 50))
put("tango_9_0_18", tango(9, 0, 18))
put("tango_46_18_608", tango(46, 18, 608))
put("tango_1_1_30", tango(1, 1, 30))

d <- read.csv("data/d04_continuous200.csv")
call0 <- d$unaided >= 0.5; call1 <- d$aided >= 0.5

# Cohen's kappa; standard error by the multinomial delta method with numerical gradient.
kappa_of <- function(p) {
  m <- matrix(p, 2); po <- sum(diag(m)); pe <- sum(rowSums(m) * colSums(m)); (po - pe) / (1 - pe)
}
p <- as.vector(table(call0, call1)) / nrow(d)
g <- sapply(1:4, function(i) { h <- 1e-6; e <- rep(0, 4); e[i] <- h
  (kappa_of(p + e) - kappa_of(p - e)) / (2 * h) })
v <- (sum(g^2 * p) - sum(g * p)^2) / nrow(d)
put("cohen_kappa", c(kappa_of(p), sqrt(v)))

# Fleiss's kappa and AC1 of three raters; standard errors by the infinitesimal jackknife over
# cases (numerical derivative in each case's weight).
calls <- cbind(call0, call1, d$unaided >= 0.3)
per_case <- function(w) {
  r <- 3; k <- rowSums(calls)
  agree <- (k * (k - 1) + (r - k) * (r - k - 1)) / (r * (r - 1))
  po <- sum(w * agree) / sum(w); q <- sum(w * k / r) / sum(w)
  c(fleiss = (po - (q^2 + (1 - q)^2)) / (1 - (q^2 + (1 - q)^2)),
    ac1 = (po - 2 * q * (1 - q)) / (1 - 2 * q * (1 - q)))
}
n <- nrow(d)
ij <- sapply(1:n, function(i) { h <- 1e-5; e <- rep(1, n); e[i] <- 1 + h
  f <- rep(1, n); f[i] <- 1 - h; (per_case(e) - per_case(f)) / (2 * h) })
put("fleiss_kappa", c(per_case(rep(1, n))[["fleiss"]], sqrt(sum(ij[1, ]^2) * n / (n - 1))))
put("gwet_ac1", c(per_case(rep(1, n))[["ac1"]], sqrt(sum(ij[2, ]^2) * n / (n - 1))))

# Calibration by glm.
lp <- qlogis(d$aided)
ctl <- glm.control(epsilon = 1e-14, maxit = 100)
put("calibration_in_the_large",
    unname(coef(glm(d$y ~ offset(lp), family = binomial, control = ctl))))
put("calibration_slope", unname(coef(glm(d$y ~ lp, family = binomial))[2]))
put("observed_expected", sum(d$y) / sum(d$aided))
put("brier", mean((d$y - d$aided)^2))
zs <- sum((d$y - d$aided) * (1 - 2 * d$aided)) /
  sqrt(sum((1 - 2 * d$aided)^2 * d$aided * (1 - d$aided)))
put("spiegelhalter", c(zs, 2 * pnorm(-abs(zs))))

# BCa acceleration of the difference of areas, from leave-one-out loops over both classes.
auc <- function(y, x) { a <- x[y == 1]; b <- x[y == 0]
  mean(outer(a, b, ">") + 0.5 * outer(a, b, "==")) }
delta <- function(y, x0, x1) auc(y, x1) - auc(y, x0)
influence <- function(value) {
  rows <- which(d$y == value); k <- length(rows)
  left <- sapply(rows, function(i) delta(d$y[-i], d$unaided[-i], d$aided[-i]))
  (k - 1) * (mean(left) - left)
}
cubes <- 0; squares <- 0
for (value in 0:1) { l <- influence(value); k <- length(l)
  cubes <- cubes + sum(l^3) / k^3; squares <- squares + sum(l^2) / k^2 }
put("bca_acceleration", cubes / (6 * squares^1.5))

# Baseline table: the tests themselves.
g1 <- d$unaided[d$y == 1]; g0 <- d$unaided[d$y == 0]
put("shapiro_positive", unname(c(shapiro.test(g1)$statistic, shapiro.test(g1)$p.value)))
z1 <- abs(g1 - median(g1)); z0 <- abs(g0 - median(g0))
lev <- anova(lm(c(z1, z0) ~ factor(rep(1:2, c(length(z1), length(z0))))))
put("levene_median", c(lev[1, "F value"], lev[1, "Pr(>F)"]))
st <- t.test(g1, g0, var.equal = TRUE); we <- t.test(g1, g0)
put("student", unname(c(st$statistic, st$p.value)))
put("welch", unname(c(we$statistic, we$parameter, we$p.value)))
mw <- wilcox.test(g1, g0, exact = FALSE, correct = TRUE)
put("mann_whitney", unname(c(mw$statistic, mw$p.value)))
m22 <- matrix(c(12, 5, 7, 14), 2); m23 <- matrix(c(12, 5, 7, 14, 3, 9), 2)
put("chi2_2x3", unname(c(chisq.test(m23)$statistic, chisq.test(m23)$p.value)))
put("chi2_2x2_uncorrected", chisq.test(m22, correct = FALSE)$p.value)
small <- matrix(c(3, 1, 2, 6, 1, 4), 2)
put("fisher_2x3", fisher.test(small)$p.value)
put("fisher_2x2", fisher.test(matrix(c(3, 1, 2, 6), 2))$p.value)
put("fisher_3x3", fisher.test(matrix(c(3, 1, 2, 6, 1, 4, 0, 2, 5), 3))$p.value)
cat("\n}\n")
