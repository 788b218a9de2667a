/* regex_tree.h - an expression as a tree of its parts */
#ifndef GRAMMAR_REGEX_TREE_H
#define GRAMMAR_REGEX_TREE_H

#include "runtime/grammar/charset.h"

#define REGEX_NO_LIMIT UINT32_MAX

typedef enum regex_kind {
	REGEX_EMPTY,
	REGEX_SET,      /* a character of a set */
	REGEX_SEQUENCE, /* children one after another */
	REGEX_CHOICE,   /* one of the children */
	REGEX_REPEAT,   /* the child, least to most times */
	REGEX_BEGIN,    /* ^ */
	REGEX_END       /* $ */
} regex_kind;

typedef struct regex_node {
	regex_kind kind;
	uint32_t child, next; /* nodes; 0: none */
	uint32_t least, most;
	uint32_t set;
} regex_node;

typedef struct regex_tree {
	regex_node *nodes; /* 0 is none */
	charset *sets;
	size_t n_nodes, n_sets, most_nodes, most_sets;
	uint32_t root;
} regex_tree;

brise_status regex_parse(regex_tree *t, const char *text, size_t bytes, const char **why);
void regex_tree_free(regex_tree *t);

#endif
