/* synonyms.h - options and commands of other programs (llama.cpp, ollama) and their equivalents
 * here
 *
 * What has the same meaning is understood; everything else is answered with one line that names the
 * way to the same end, or says that there is none.
 */
#ifndef CLI_SYNONYMS_H
#define CLI_SYNONYMS_H

typedef enum synonym_kind {
	SYNONYM_OPTION,  /* another name of the option `ours` */
	SYNONYM_MODEL,   /* its value is the first operand, MODEL */
	SYNONYM_PROMPT,  /* its value is the operand after MODEL: PROMPT or TEXT */
	SYNONYM_OUTPUT,  /* its value is the last operand: OUT.brise or OUT */
	SYNONYM_FLAG,    /* asks for what brise does anyway; takes no value */
	SYNONYM_ZERO,    /* the same if its value is 0, else answered */
	SYNONYM_IGNORED, /* changes no result here: noted. ours NULL: it takes no value, "N": it
	                    takes one, "on|off": one of these words may follow */
	SYNONYM_ANSWER   /* refused with the line `ours` */
} synonym_kind;

typedef struct synonym {
	const char *typed; /* with its dashes: "-ngl", "--ctx-size"; underscores count as dashes */
	synonym_kind kind;
	const char *ours;
} synonym;

/* Entries of the table of options, in order; NULL past the end. Several may share a name: the first
 * whose option the command has counts. */
const synonym *synonyms_option(unsigned index);

/* What another program's command is here: SYNONYM_OPTION for another name of the command `ours`,
 * SYNONYM_ANSWER for a line, NULL: unknown. */
const synonym *synonyms_find_command(const char *name);

#endif
