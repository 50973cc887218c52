# Random data against the packages: pROC (areas, DeLong), Hmisc (improveProb), base R
# (mcnemar.test, binom.test, prop.test: Hmisc's binconf moves the limit of 1 and of n - 1 events), boot (BCa), and definitions in plain loops where no package is at
# hand (Tango's restricted likelihood, mid-p, AC1 and AC2, U-statistics with missing readings).
# Needs pROC, Hmisc, boot. Rscript random.R > random.R.json
suppressMessages({library(pROC); library(Hmisc); library(boot)})
options(digits = 17, warn = -1)
set.seed(20261123)
js <- function(x) {
  if (is.list(x)) {
    if (is.null(names(x))) return(paste0("[", paste(sapply(x, js), collapse = ","), "]"))
    return(paste0("{", paste0('"', names(x), '":', sapply(x, js), collapse = ","), "}"))
  }
  if (is.character(x)) return(paste0('"', x, '"'))
  one <- ifelse(is.finite(x), sprintf("%.17g", x), "null")
  if (length(x) == 1) one else paste0("[", paste(one, collapse = ","), "]")
}
whole <- function(x) as.list(as.integer(x))
digits <- function(x) paste(x, collapse = "")  # ratings 0 to 9 as one string

# ---- readings: an ordinal scale of 2 to 10 steps, 3 to 60 cases of a class, now and then perfect
readings <- lapply(1:60, function(k) {
  m <- sample(3:60, 1); n <- sample(3:60, 1); steps <- sample(1:9, 1); y <- rep(1:0, c(m, n))
  lift <- runif(2, -0.2, 3)
  rate <- function(l) pmin(steps, pmax(0, round(steps * (0.3 + 0.15 * rnorm(m + n) + 0.15 * l * y))))
  list(y = y, steps = steps, a = rate(lift[1]), b = rate(lift[2]))
})
areas <- lapply(readings, function(d) {
  r <- lapply(list(d$a, d$b), function(x) roc(d$y, x, quiet = TRUE, direction = "<"))
  test <- roc.test(r[[1]], r[[2]], method = "delong", paired = TRUE)
  ip <- improveProb(d$a / d$steps, d$b / d$steps, d$y)
  list(y = digits(d$y), a = digits(d$a), b = digits(d$b), steps = d$steps,
       auc = c(auc(r[[1]]), auc(r[[2]])), var = c(var(r[[1]]), var(r[[2]])), cov = cov(r[[1]], r[[2]]),
       z = -unname(test$statistic), p = unname(test$p.value),
       nri = c(ip$nri, ip$se.nri, ip$nri.ev, ip$nri.ne), idi = c(ip$idi, ip$se.idi))
})

# ---- paired tables: gained, lost, both right, both wrong
tango <- function(b, c, n) {
  z <- qnorm(0.975)
  # The restricted estimate of the smaller probability by bisection of the score, which falls.
  stat <- function(d) {
    lo <- max(0, -d); hi <- (1 - d) / 2
    score <- function(q) (if (b > 0) b / (q + d) else 0) + (if (c > 0) c / q else 0) -
      (if (n > b + c) 2 * (n - b - c) / (1 - 2 * q - d) else 0)
    l <- lo; h <- hi
    if (h - l > 1e-15) for (i in 1:200) { mid <- (l + h) / 2; if (score(mid) > 0) l <- mid else h <- mid }
    q <- (l + h) / 2
    (b - c - n * d) / sqrt(n * (2 * q + d * (1 - d)))
  }
  est <- (b - c) / n
  side <- function(from, to, target) {  # stat falls in d
    for (i in 1:200) { mid <- (from + to) / 2; if (stat(mid) > target) from <- mid else to <- mid }
    (from + to) / 2
  }
  c(side(-1, est, z), side(est, 1, -z))
}
kosinski <- function(d, one, two) {  # d, one, two: 0/1 per case; PPV of two against one
  n1 <- sum(one); n2 <- sum(two); p1 <- sum(one * d) / n1; p2 <- sum(two * d) / n2
  pool <- (sum(one * d) + sum(two * d)) / (n1 + n2)
  # The residuals of a case's calls add up within the case, and their products are the covariance.
  cp <- sum(one * two * (d - pool)^2) / (n1 + n2)
  (p2 - p1)^2 / ((pool * (1 - pool) - 2 * cp) * (1 / n1 + 1 / n2))
}
tables <- lapply(1:200, function(k) {
  # Right or wrong in both, baseline only, comparison only, neither: for events and non-events.
  size <- sample(c(8, 30, 120, 600), 1)
  e <- as.vector(rmultinom(1, size, runif(4, 0.05, 1)^2)); f <- as.vector(rmultinom(1, size, runif(4, 0.05, 1)^2))
  gained <- e[3]; lost <- e[2]; n <- sum(e)
  few <- min(gained, lost); t <- gained + lost
  m <- matrix(c(e[1], e[3], e[2], e[4]), 2)
  d <- rep(c(1, 1, 1, 1, 0, 0, 0, 0), c(e, f))
  one <- rep(c(1, 1, 0, 0, 0, 0, 1, 1), c(e, f)); two <- rep(c(1, 0, 1, 0, 0, 1, 0, 1), c(e, f))
  list(events = whole(e), nonevents = whole(f),
       exact = if (t) binom.test(gained, t)$p.value else 1,
       midp = if (t) min(1, 2 * (pbinom(few - 1, t, 0.5) + dbinom(few, t, 0.5) / 2)) else 1,
       chi2 = if (t) mcnemar.test(m, correct = FALSE)$p.value else NA,
       corrected = if (t) mcnemar.test(m, correct = TRUE)$p.value else NA,
       tango = tango(gained, lost, n),
       wilson = as.vector(prop.test(e[1] + e[3], n, correct = FALSE)$conf.int),
       ppv = kosinski(d, one, two), npv = kosinski(1 - d, 1 - one, 1 - two))
})

# ---- AC1 and AC2 (Gwet 2008, 2014), quadratic weights over all categories of the scale; standard
# errors by the infinitesimal jackknife over cases
gwet <- function(x, cats, w) {
  n <- nrow(x); r <- ncol(x); q <- length(cats)
  per <- t(apply(x, 1, function(row) tabulate(match(row, cats), q)))
  value <- function(u) {
    agree <- sapply(1:n, function(i) {
      s <- 0
      for (a in 1:r) for (b in 1:r) if (a != b) s <- s + w[match(x[i, a], cats), match(x[i, b], cats)]
      s / (r * (r - 1))
    })
    po <- sum(u * agree) / sum(u); pi <- colSums(u * per / r) / sum(u)
    pe <- sum(w) / (q * (q - 1)) * sum(pi * (1 - pi))
    (po - pe) / (1 - pe)
  }
  ij <- sapply(1:n, function(i) { h <- 1e-5; up <- rep(1, n); dn <- up; up[i] <- 1 + h; dn[i] <- 1 - h
    (value(up) - value(dn)) / (2 * h) })
  c(value(rep(1, n)), sqrt(sum(ij^2) * n / (n - 1)))
}
agree <- lapply(1:12, function(k) {
  n <- sample(8:20, 1); r <- sample(2:4, 1); q <- sample(2:6, 1); cats <- 0:(q - 1)
  true <- sample(cats, n, TRUE)
  x <- sapply(1:r, function(j) ifelse(runif(n) < 0.6, true, sample(cats, n, TRUE)))
  quadratic <- 1 - outer(cats, cats, "-")^2 / (q - 1)^2
  list(categories = q, ratings = lapply(1:r, function(j) digits(x[, j])),
       ac1 = gwet(x, cats, diag(q)), ac2 = gwet(x, cats, quadratic))
})

# ---- BCa, percentile: boot's resamples; its own end points (which interpolate on the normal
# scale), and R's quantile() at the levels of its formula
d <- read.csv("data/d04_continuous200.csv"); d <- rbind(d[d$y == 1, ][1:25, ], d[d$y == 0, ][1:30, ])
area <- function(y, x) { p <- x[y == 1]; q <- x[y == 0]; mean(outer(p, q, ">") + outer(p, q, "==") / 2) }
figures <- function(d) { ev <- d$y == 1; ch <- d$aided - d$unaided
  c(auc = area(d$y, d$aided) - area(d$y, d$unaided),
    idi = mean(ch[ev]) - mean(ch[!ev]),
    nri = mean(sign(ch[ev])) - mean(sign(ch[!ev]))) }
b <- boot(d, function(d, i) figures(d[i, ]), R = 299, strata = d$y)
counts <- boot.array(b)
bca <- lapply(1:3, function(k) {
  left <- sapply(1:nrow(d), function(i) figures(d[-i, ])[k])
  l <- numeric(nrow(d))
  # Davison and Hinkley, section 5.3.2 with several samples: influence values over sample sizes.
  for (s in 0:1) { g <- d$y == s; l[g] <- (sum(g) - 1) * (mean(left[g]) - left[g]) / sum(g) }
  t <- b$t[, k]; t0 <- b$t0[k]
  ties <- abs(t - t0) < 1e-12
  z0 <- qnorm((sum(t < t0 & !ties) + sum(ties) / 2) / length(t)); z <- qnorm(c(0.025, 0.975))
  a <- sum(l^3) / (6 * sum(l^2)^1.5)
  level <- pnorm(z0 + (z0 + z) / (1 - a * (z0 + z)))
  list(value = unname(t0), ties = sum(ties), acceleration = a,
       percentile = unname(quantile(t, c(0.025, 0.975), type = 7)),
       ends = unname(quantile(t, level, type = 7)),
       boot_ends = boot:::bca.ci(b, index = k, L = l)[1, 4:5], se = sd(t))
})
names(bca) <- c("auc", "idi.scores", "nri.category_free")

# ---- U-statistics with missing readings: all pairs of successes, in loops over their definition
moments <- function(sa, wa, sb, wb, mle) {
  nr <- dim(sa)[1]; m <- dim(sa)[2]; n <- dim(sa)[3]
  g <- expand.grid(r = 1:nr, i = 1:m, j = 1:n)
  a <- as.vector(sa); b <- as.vector(sb); u <- as.vector(wa); v <- as.vector(wb)
  share <- mom <- numeric(8); total <- sum(u) * sum(v)
  for (k in 0:7) {
    on <- bitwAnd(k, c(4, 2, 1)) > 0
    exact <- outer(g$r, g$r, if (on[1]) "==" else "!=") & outer(g$i, g$i, if (on[2]) "==" else "!=") &
      outer(g$j, g$j, if (on[3]) "==" else "!=")
    loose <- (if (on[1]) outer(g$r, g$r, "==") else TRUE) & (if (on[2]) outer(g$i, g$i, "==") else TRUE) &
      (if (on[3]) outer(g$j, g$j, "==") else TRUE) & TRUE
    if (length(loose) == 1) loose <- matrix(TRUE, nrow(g), nrow(g))
    ww <- outer(u, v); ss <- outer(u * a, v * b)
    share[k + 1] <- sum(ww[exact]) / total
    pick <- if (mle) loose else exact
    mom[k + 1] <- if (sum(ww[pick]) > 0) sum(ss[pick]) / sum(ww[pick]) else 0
  }
  sum(share * mom) - mom[1]
}
missing <- lapply(1:4, function(k) {
  nr <- 3; m <- 5; n <- 6
  x <- array(sample(0:9, 2 * nr * (m + n), TRUE), c(2, nr, m + n))
  x[, , 1:m] <- pmin(9, x[, , 1:m] + 2)
  x[sample(length(x), 4 * k)] <- NA
  arm <- function(t) {
    s <- w <- array(0, c(nr, m, n))
    for (r in 1:nr) for (i in 1:m) for (j in 1:n) {
      p <- x[t, r, i]; q <- x[t, r, m + j]
      if (!is.na(p) && !is.na(q)) { w[r, i, j] <- 1; s[r, i, j] <- (p > q) + (p == q) / 2 }
    }
    list(s, w)
  }
  a <- arm(1); b <- arm(2)
  variance <- function(mle) {
    one <- moments(a[[1]], a[[2]], a[[1]], a[[2]], mle); two <- moments(b[[1]], b[[2]], b[[1]], b[[2]], mle)
    c(one, two, one + two - 2 * moments(a[[1]], a[[2]], b[[1]], b[[2]], mle))
  }
  shown <- function(v) paste(ifelse(is.na(v), "-", v), collapse = "")
  list(positives = m, readings = lapply(1:2, function(t) lapply(1:nr, function(r) shown(x[t, r, ]))),
       areas = c(sum(a[[1]]) / sum(a[[2]]), sum(b[[1]]) / sum(b[[2]])),
       unbiased = variance(FALSE), mle = variance(TRUE))
})

versions <- paste("R", getRversion(), "pROC", packageVersion("pROC"), "Hmisc", packageVersion("Hmisc"),
                  "boot", packageVersion("boot"))
cat(js(list(versions = versions, areas = areas, tables = tables, agreement = agree,
            counts = lapply(1:nrow(counts), function(i) digits(counts[i, ])), bca = bca,
            missing = missing)), "\n")
