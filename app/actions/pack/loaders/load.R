# Loads a pack of reread: checks its files against manifest.json, reads the readings, and prints
# the area under the ROC curve of every reader in every modality. Base R, no package needed.
#
#   Rscript load.R            the pack that it lies in
#   Rscript load.R FOLDER
#
# In an R session: source("load.R"); pack <- load_pack("FOLDER"); auc_table(pack)

sha256_of <- function(path) {
  if (exists("sha256sum", where = asNamespace("tools"), inherits = FALSE)) {
    return(unname(get("sha256sum", envir = asNamespace("tools"))(path)))
  }
  if (requireNamespace("digest", quietly = TRUE)) {
    return(digest::digest(path, algo = "sha256", file = TRUE))
  }
  quoted <- shQuote(path)
  if (nzchar(Sys.which("sha256sum"))) {
    said <- system2("sha256sum", quoted, stdout = TRUE)
  } else if (nzchar(Sys.which("shasum"))) {
    said <- system2("shasum", c("-a", "256", quoted), stdout = TRUE)
  } else if (nzchar(Sys.which("certutil"))) {
    said <- gsub(" ", "", system2("certutil", c("-hashfile", quoted, "SHA256"), stdout = TRUE)[2])
  } else {
    stop("This R cannot compute SHA-256: install the package digest, or R 4.5 or newer.")
  }
  tolower(regmatches(said, regexpr("[0-9a-fA-F]{64}", said)))
}

# manifest.json holds one file a line below "files", so no JSON package is needed.
manifest_of <- function(folder) {
  lines <- readLines(file.path(folder, "manifest.json"), encoding = "UTF-8")
  lines <- lines[seq(grep("^  \"files\": \\{", lines) + 1, length(lines))]
  lines <- lines[grepl("^    \"[^\"]+\": \"[0-9a-f]{64}\",?$", lines)]
  digests <- sub("^    \"[^\"]+\": \"([0-9a-f]{64})\",?$", "\\1", lines)
  names(digests) <- sub("^    \"([^\"]+)\": .*$", "\\1", lines)
  digests
}

check_pack <- function(folder) {
  expected <- manifest_of(folder)
  if (length(expected) == 0) stop("manifest.json names no file.")
  there <- setdiff(list.files(folder, recursive = TRUE), "manifest.json")
  missing <- setdiff(names(expected), there)
  if (length(missing) > 0) stop("Missing from the pack: ", paste(missing, collapse = ", "))
  extra <- setdiff(there, names(expected))
  if (length(extra) > 0) stop("Not of the pack: ", paste(extra, collapse = ", "))
  for (name in names(expected)) {
    if (!identical(sha256_of(file.path(folder, name)), expected[[name]])) {
      stop(name, " is not the file that was exported (SHA-256 differs from manifest.json).")
    }
  }
  length(expected)
}

load_pack <- function(folder = ".") {
  checked <- check_pack(folder)
  readings <- read.csv(file.path(folder, "readings.csv"), stringsAsFactors = FALSE,
    na.strings = "", colClasses = c(case_id = "character", reader_id = "character"),
    encoding = "UTF-8")
  cases <- read.csv(file.path(folder, "cases.csv"), stringsAsFactors = FALSE,
    na.strings = "", colClasses = c(case_id = "character"), encoding = "UTF-8")
  readers <- read.csv(file.path(folder, "readers.csv"), stringsAsFactors = FALSE,
    na.strings = "", colClasses = c(reader_id = "character"), encoding = "UTF-8")
  viewing <- read.csv(file.path(folder, "viewing.csv"), stringsAsFactors = FALSE,
    na.strings = "", colClasses = c(case_id = "character", reader_id = "character"),
    encoding = "UTF-8")
  list(folder = folder, checked = checked, readings = readings, cases = cases,
    readers = readers, viewing = viewing)
}

# The area by Mann and Whitney, ties one half. The score speaks for BCC; the area of SK against
# BCC with turned scores is the same number.
auc <- function(score, event) {
  m <- sum(event)
  n <- sum(!event)
  if (m == 0 || n == 0) return(NA_real_)
  (sum(rank(score)[event]) - m * (m + 1) / 2) / (m * n)
}

auc_table <- function(pack) {
  # Of a case that was read twice, the first reading counts.
  used <- pack$readings[!is.na(pack$readings$score) & pack$readings$occasion == 1, ]
  rows <- unique(used[, c("reader_id", "modality")])
  rows <- rows[order(rows$reader_id, -xtfrm(rows$modality)), ]
  rows$auc <- mapply(function(reader, modality) {
    part <- used[used$reader_id == reader & used$modality == modality, ]
    auc(part$score, part$truth == "BCC")
  }, rows$reader_id, rows$modality)
  rows$n <- mapply(function(reader, modality) {
    sum(used$reader_id == reader & used$modality == modality)
  }, rows$reader_id, rows$modality)
  row.names(rows) <- NULL
  rows
}

if (sys.nframe() == 0) {
  arguments <- commandArgs(trailingOnly = TRUE)
  script <- sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)[1])
  pack <- load_pack(if (length(arguments) > 0) arguments[1] else dirname(script))
  cat(sprintf("%d files agree with manifest.json.\n", pack$checked))
  table <- auc_table(pack)
  for (row in seq_len(nrow(table))) {
    cat(sprintf("%s %s AUC %s n %d\n", table$reader_id[row], table$modality[row],
      if (is.na(table$auc[row])) "undefined" else sprintf("%.15g", table$auc[row]),
      table$n[row]))
  }
}
