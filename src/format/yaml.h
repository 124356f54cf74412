/*
 * YAML 1.1 (libyaml) to the same tree as JSON, with line numbers: configuration, connector manifests, processes.
 *
 * A subset on purpose: one document, mappings with scalar keys, sequences, scalars; no anchors, aliases, tags or merge
 * keys (each a clear error). Plain scalars: null, ~ and nothing at all are null, true and false are booleans, JSON
 * numbers are numbers, everything else and everything quoted is a string.
 */
#ifndef FORMAT_YAML_H
#define FORMAT_YAML_H

#include "format/json.h"

/* RC_INVALID "invalid_yaml", "duplicate_member", "yaml_not_supported"; RC_LIMIT as json_parse. where: "line N". */
enum rc yaml_parse(struct arena *a, struct str text, const struct json_limits *limits, struct json **out,
		   struct err *e) MUST_CHECK;

#endif
