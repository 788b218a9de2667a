/* synonyms.c - the table */
#include "runtime/cli/synonyms.h"

#include <stddef.h>
#include <string.h>

#define OUR_CHAT                                                                                   \
	"brise chat MODEL holds a conversation; brise run MODEL --chat \"question\" answers one "  \
	"question"
#define OUR_FORMAT                                                                                 \
	"templates are not executed: --chat-format v1, v2, v3, v3-tekken, v7, v11, v13, chatml, "  \
	"zephyr or a file of affixes (runtime/CHAT.md) says how a model's conversations are "      \
	"written"
#define OUR_SERVER "brise serve MODEL answers requests over HTTP; this command does not"
#define NO_TLS     "brise serves plain HTTP: a proxy such as nginx or HAProxy in front of it adds TLS"
#define OUR_PLACES "brise serve MODEL --parallel N answers several requests at once"
#define NO_DOWNLOAD                                                                                \
	"brise downloads nothing: fetch a checkpoint or a GGUF file, then brise convert "          \
	"CHECKPOINT OUT.brise"
#define NO_REGISTRY                                                                                \
	"brise keeps no list of models: they are files, and brise info FILE describes one"
#define NO_STOP_TEXT "there are no stop texts yet: generation stops at the end token or after -n N"
#define OUR_GRAMMAR                                                                                \
	"run and chat take --schema FILE with a JSON schema, and --grammar FILE with a GBNF "      \
	"grammar"
#define OUR_SESSION                                                                                \
	"brise run --session FILE keeps a text, and evaluates only what is new of the next"
#define ROPE_IS_FIXED "rotary positions are as the checkpoint says; leave it out"
#define OUR_SAMPLING                                                                               \
	"brise does not sample this way; there are --temperature, --top-k, --top-p, --min-p and "  \
	"penalties"
#define OUR_DRAFTS "drafts are looked up in the text, as many as pay; --no-drafts turns them off"
#define OUR_CACHE  "the cache is --kv int8 (default) or --kv f32"
#define OUR_ADAPTERS                                                                               \
	"adapters are merged when converting: brise convert CHECKPOINT OUT.brise --lora DIR"
#define NO_EMBEDDINGS "brise serve MODEL answers POST /v1/embeddings"
#define NO_IMAGES     "brise reads text only"
#define ONE_PROCESS   "the model is loaded for one command only; leave it out"
#define OUR_AFFINITY  "processors are chosen by taskset; --threads N says how many"
#define OUR_CONVERT                                                                                \
	"brise convert CHECKPOINT OUT.brise --type q4 (or q3, q8, f16) quantizes a checkpoint or " \
	"a "                                                                                       \
	"GGUF file"

/* clang-format off */
static const synonym options[] = {
	{ "-m",                   SYNONYM_MODEL,  NULL },
	{ "--model",              SYNONYM_MODEL,  NULL },
	{ "-p",                   SYNONYM_PROMPT, NULL },
	{ "--prompt",             SYNONYM_PROMPT, NULL },
	{ "-f",                   SYNONYM_OPTION, "text" }, /* of calibrate and perplexity */
	{ "--file",               SYNONYM_OPTION, "text" },
	{ "--predict",            SYNONYM_OPTION, "tokens" },
	{ "--n-predict",          SYNONYM_OPTION, "tokens" },
	{ "--num-predict",        SYNONYM_OPTION, "tokens" },
	{ "--max-tokens",         SYNONYM_OPTION, "tokens" },
	{ "--n-prompt",           SYNONYM_OPTION, "prompt" }, /* of bench */
	{ "--n-gen",              SYNONYM_OPTION, "generate" },
	{ "-c",                   SYNONYM_OPTION, "context" },
	{ "--ctx-size",           SYNONYM_OPTION, "context" },
	{ "--num-ctx",            SYNONYM_OPTION, "context" },
	{ "-b",                   SYNONYM_OPTION, "chunk" },
	{ "--batch-size",         SYNONYM_OPTION, "chunk" },
	{ "--num-batch",          SYNONYM_OPTION, "chunk" },
	{ "-ub",                  SYNONYM_OPTION, "chunk" },
	{ "--ubatch-size",        SYNONYM_OPTION, "chunk" },
	{ "--num-thread",         SYNONYM_OPTION, "threads" },
	{ "--n-threads",          SYNONYM_OPTION, "threads" },
	{ "-s",                   SYNONYM_OPTION, "seed" },
	{ "--temp",               SYNONYM_OPTION, "temperature" },
	{ "--repeat-penalty",     SYNONYM_OPTION, "repetition-penalty" },
	{ "--repeat-last-n",      SYNONYM_OPTION, "penalty-last" },
	{ "--verbose",            SYNONYM_OPTION, "stats" },
	{ "-v",                   SYNONYM_OPTION, "stats" },
	{ "--perf",               SYNONYM_OPTION, "stats" },
	{ "-l",                   SYNONYM_OPTION, "logit-bias" },
	{ "--log-disable",        SYNONYM_FLAG,   NULL },
	{ "--no-display-prompt",  SYNONYM_FLAG,   NULL },
	{ "-no-cnv",              SYNONYM_FLAG,   NULL },
	{ "--no-conversation",    SYNONYM_FLAG,   NULL },
	{ "--no-context-shift",   SYNONYM_FLAG,   NULL },
	{ "--no-escape",          SYNONYM_FLAG,   NULL },
	{ "--no-warmup",          SYNONYM_FLAG,   NULL },
	{ "--no-mlock",           SYNONYM_FLAG,   NULL },
	{ "--no-perf",            SYNONYM_FLAG,   NULL },
	{ "--no-repack",          SYNONYM_FLAG,   NULL },
	{ "--offline",            SYNONYM_FLAG,   NULL },
	{ "--nowordwrap",         SYNONYM_FLAG,   NULL },
	{ "--mmap",               SYNONYM_FLAG,   NULL },
	{ "--simple-io",          SYNONYM_FLAG,   NULL },
	{ "--multiline-input",    SYNONYM_FLAG,   NULL },
	{ "-mli",                 SYNONYM_FLAG,   NULL },
	{ "-ngl",                 SYNONYM_IGNORED, "N" },
	{ "--gpu-layers",         SYNONYM_IGNORED, "N" },
	{ "--n-gpu-layers",       SYNONYM_IGNORED, "N" },
	{ "--num-gpu",            SYNONYM_IGNORED, "N" },
	{ "-mg",                  SYNONYM_IGNORED, "N" },
	{ "--main-gpu",           SYNONYM_IGNORED, "N" },
	{ "-sm",                  SYNONYM_IGNORED, "N" },
	{ "--split-mode",         SYNONYM_IGNORED, "N" },
	{ "-ts",                  SYNONYM_IGNORED, "N" },
	{ "--tensor-split",       SYNONYM_IGNORED, "N" },
	{ "-dev",                 SYNONYM_IGNORED, "N" },
	{ "--device",             SYNONYM_IGNORED, "N" },
	{ "-ot",                  SYNONYM_IGNORED, "N" },
	{ "--override-tensor",    SYNONYM_IGNORED, "N" },
	{ "-ncmoe",               SYNONYM_IGNORED, "N" },
	{ "--n-cpu-moe",          SYNONYM_IGNORED, "N" },
	{ "-tb",                  SYNONYM_IGNORED, "N" },
	{ "--threads-batch",      SYNONYM_IGNORED, "N" },
	{ "--numa",               SYNONYM_IGNORED, "N" },
	{ "--prio",               SYNONYM_IGNORED, "N" },
	{ "--prio-batch",         SYNONYM_IGNORED, "N" },
	{ "--poll",               SYNONYM_IGNORED, "N" },
	{ "--poll-batch",         SYNONYM_IGNORED, "N" },
	{ "-lv",                  SYNONYM_IGNORED, "N" },
	{ "--verbosity",          SYNONYM_IGNORED, "N" },
	{ "--log-verbosity",      SYNONYM_IGNORED, "N" },
	{ "-fit",                 SYNONYM_IGNORED, "N" },
	{ "--fit",                SYNONYM_IGNORED, "N" },
	{ "-fitt",                SYNONYM_IGNORED, "N" },
	{ "--fit-target",         SYNONYM_IGNORED, "N" },
	{ "-fitc",                SYNONYM_IGNORED, "N" },
	{ "--fit-ctx",            SYNONYM_IGNORED, "N" },
	{ "-dt",                  SYNONYM_IGNORED, "N" },
	{ "--defrag-thold",       SYNONYM_IGNORED, "N" },
	{ "-fa",                  SYNONYM_IGNORED, "on|off" },
	{ "--flash-attn",         SYNONYM_IGNORED, "on|off" },
	{ "-co",                  SYNONYM_IGNORED, "on|off" },
	{ "--color",              SYNONYM_IGNORED, "on|off" },
	{ "--colors",             SYNONYM_IGNORED, "on|off" },
	{ "--log-colors",         SYNONYM_IGNORED, "on|off" },
	{ "--no-mmap",            SYNONYM_IGNORED, NULL },
	{ "--mlock",              SYNONYM_IGNORED, NULL },
	{ "-nkvo",                SYNONYM_IGNORED, NULL },
	{ "--no-kv-offload",      SYNONYM_IGNORED, NULL },
	{ "--no-op-offload",      SYNONYM_IGNORED, NULL },
	{ "--no-host",            SYNONYM_IGNORED, NULL },
	{ "--check-tensors",      SYNONYM_IGNORED, NULL },
	{ "--log-prefix",         SYNONYM_IGNORED, NULL },
	{ "--log-timestamps",     SYNONYM_IGNORED, NULL },
	{ "-cb",                  SYNONYM_IGNORED, NULL },
	{ "--cont-batching",      SYNONYM_IGNORED, NULL },
	{ "--swa-full",           SYNONYM_IGNORED, NULL },
	{ "-kvu",                 SYNONYM_IGNORED, NULL },
	{ "--kv-unified",         SYNONYM_IGNORED, NULL },
	{ "-cmoe",                SYNONYM_IGNORED, NULL },
	{ "--cpu-moe",            SYNONYM_IGNORED, NULL },
	{ "-to",                  SYNONYM_OPTION, "timeout" }, /* of serve */
	{ "-to",                  SYNONYM_ANSWER, OUR_SERVER },
	{ "--timeout",            SYNONYM_ANSWER, OUR_SERVER },
	{ "-bf",                  SYNONYM_ANSWER,  "brise run MODEL --file FILE reads a prompt from a file" },
	{ "--binary-file",        SYNONYM_ANSWER,  "brise run MODEL --file FILE reads a prompt from a file" },
	{ "-o",                   SYNONYM_OUTPUT,  NULL },
	{ "--output",             SYNONYM_OUTPUT,  NULL },
	{ "--out",                SYNONYM_OUTPUT,  NULL },
	{ "--outfile",            SYNONYM_OUTPUT,  NULL },
	{ "--output",             SYNONYM_OPTION,  "out" },
	{ "-C",                   SYNONYM_ANSWER, OUR_AFFINITY },
	{ "--cpu-mask",           SYNONYM_ANSWER, OUR_AFFINITY },
	{ "--cpu-range",          SYNONYM_ANSWER, OUR_AFFINITY },
	{ "-md",                  SYNONYM_ANSWER, OUR_DRAFTS },
	{ "--model-draft",        SYNONYM_ANSWER, OUR_DRAFTS },
	{ "--draft",              SYNONYM_ANSWER, OUR_DRAFTS },
	{ "--draft-max",          SYNONYM_ANSWER, OUR_DRAFTS },
	{ "-ctk",                 SYNONYM_ANSWER, OUR_CACHE },
	{ "-ctv",                 SYNONYM_ANSWER, OUR_CACHE },
	{ "--cache-type-k",       SYNONYM_ANSWER, OUR_CACHE },
	{ "--cache-type-v",       SYNONYM_ANSWER, OUR_CACHE },
	{ "--keep",               SYNONYM_ZERO,   "--sinks N keeps the first N tokens in view, with --window or a model's own window" },
	{ "--context-shift",      SYNONYM_ANSWER, "a model without a window stops when its context is full: --context N; --window N --sinks 4 goes on" },
	{ "-i",                   SYNONYM_ANSWER, OUR_CHAT },
	{ "--interactive",        SYNONYM_ANSWER, OUR_CHAT },
	{ "-if",                  SYNONYM_ANSWER, OUR_CHAT },
	{ "--interactive-first",  SYNONYM_ANSWER, OUR_CHAT },
	{ "-ins",                 SYNONYM_ANSWER, OUR_CHAT },
	{ "--instruct",           SYNONYM_ANSWER, OUR_CHAT },
	{ "-cnv",                 SYNONYM_ANSWER, OUR_CHAT },
	{ "--conversation",       SYNONYM_ANSWER, OUR_CHAT },
	{ "-st",                  SYNONYM_OPTION, "chat" },
	{ "-st",                  SYNONYM_ANSWER, OUR_CHAT },
	{ "--single-turn",        SYNONYM_OPTION, "chat" },
	{ "--single-turn",        SYNONYM_ANSWER, OUR_CHAT },
	{ "-sys",                 SYNONYM_OPTION, "system" },
	{ "-sys",                 SYNONYM_ANSWER, OUR_CHAT },
	{ "--system-prompt",      SYNONYM_OPTION, "system" },
	{ "--system-prompt",      SYNONYM_ANSWER, OUR_CHAT },
	{ "--system",             SYNONYM_ANSWER, OUR_CHAT },
	{ "-sysf",                SYNONYM_ANSWER, "--system takes the text itself: --system \"$(cat FILE)\"" },
	{ "--system-prompt-file", SYNONYM_ANSWER, "--system takes the text itself: --system \"$(cat FILE)\"" },
	{ "--jinja",              SYNONYM_ANSWER, OUR_FORMAT },
	{ "--chat-template",      SYNONYM_OPTION, "chat-format" },
	{ "--chat-template",      SYNONYM_ANSWER, OUR_FORMAT },
	{ "--chat-template-file", SYNONYM_ANSWER, OUR_FORMAT },
	{ "--in-prefix",          SYNONYM_ANSWER, OUR_FORMAT },
	{ "--in-suffix",          SYNONYM_ANSWER, OUR_FORMAT },
	{ "--host",               SYNONYM_ANSWER, OUR_SERVER },
	{ "--port",               SYNONYM_ANSWER, OUR_SERVER },
	{ "--api-key",            SYNONYM_ANSWER, OUR_SERVER },
	{ "-np",                  SYNONYM_OPTION, "parallel" },
	{ "-np",                  SYNONYM_ANSWER, OUR_PLACES },
	{ "--num-parallel",       SYNONYM_OPTION, "parallel" },
	{ "--parallel",           SYNONYM_ANSWER, OUR_PLACES },
	{ "--max-queue",          SYNONYM_OPTION, "queue" },
	{ "--no-webui",           SYNONYM_OPTION, "no-page" },
	{ "--webui",              SYNONYM_FLAG,   NULL },
	{ "--metrics",            SYNONYM_FLAG,   NULL },
	{ "--props",              SYNONYM_FLAG,   NULL },
	{ "--slots",              SYNONYM_FLAG,   NULL },
	{ "--embedding",          SYNONYM_FLAG,   NULL },
	{ "--embeddings",         SYNONYM_FLAG,   NULL },
	{ "--served-model-name",  SYNONYM_OPTION, "alias" },
	{ "--sleep-idle-seconds", SYNONYM_OPTION, "idle" },
	{ "--slot-save-path",     SYNONYM_OPTION, "cache" },
	{ "--allowed-origins",    SYNONYM_OPTION, "cors" },
	{ "--origins",            SYNONYM_OPTION, "cors" },
	{ "--threads-http",       SYNONYM_IGNORED, "N" },
	{ "--cache-reuse",        SYNONYM_IGNORED, "N" },
	{ "--ssl-key-file",       SYNONYM_ANSWER, NO_TLS },
	{ "--ssl-cert-file",      SYNONYM_ANSWER, NO_TLS },
	{ "--api-prefix",         SYNONYM_ANSWER, "paths are as they are; a proxy such as nginx in front can put a prefix before them" },
	{ "--keepalive",          SYNONYM_ANSWER, ONE_PROCESS },
	{ "--keep-alive",         SYNONYM_ANSWER, ONE_PROCESS },
	{ "-mm",                  SYNONYM_ANSWER, NO_IMAGES },
	{ "--mmproj",             SYNONYM_ANSWER, NO_IMAGES },
	{ "--image",              SYNONYM_ANSWER, NO_IMAGES },
	{ "-r",                   SYNONYM_ANSWER, NO_STOP_TEXT },
	{ "--reverse-prompt",     SYNONYM_ANSWER, NO_STOP_TEXT },
	{ "--stop",               SYNONYM_ANSWER, NO_STOP_TEXT },
	{ "--grammar",            SYNONYM_ANSWER, OUR_GRAMMAR },
	{ "--grammar-file",       SYNONYM_OPTION, "grammar" },
	{ "-j",                   SYNONYM_ANSWER, OUR_GRAMMAR },
	{ "--json-schema",        SYNONYM_ANSWER, OUR_GRAMMAR },
	{ "--json-schema-file",   SYNONYM_OPTION, "schema" },
	{ "-jf",                  SYNONYM_OPTION, "schema" },
	{ "--format",             SYNONYM_ANSWER, OUR_GRAMMAR },
	{ "--prompt-cache",       SYNONYM_OPTION, "session" },
	{ "--prompt-cache-all",   SYNONYM_ANSWER, OUR_SESSION },
	{ "--prompt-cache-ro",    SYNONYM_ANSWER, OUR_SESSION },
	{ "-e",                   SYNONYM_ANSWER, "the prompt is taken as it is: let the shell expand escapes, $'a\\nb', or use --file FILE" },
	{ "--escape",             SYNONYM_ANSWER, "the prompt is taken as it is: let the shell expand escapes, $'a\\nb', or use --file FILE" },
	{ "--verbose-prompt",     SYNONYM_ANSWER, "brise tokenize MODEL TEXT prints a prompt's token ids" },
	{ "-sp",                  SYNONYM_ANSWER, "control tokens have no text; --print-ids prints their ids" },
	{ "--special",            SYNONYM_ANSWER, "control tokens have no text; --print-ids prints their ids" },
	{ "--mirostat",           SYNONYM_ZERO,   OUR_SAMPLING },
	{ "--samplers",           SYNONYM_ANSWER, OUR_SAMPLING },
	{ "--typical",            SYNONYM_ANSWER, OUR_SAMPLING },
	{ "--typical-p",          SYNONYM_ANSWER, OUR_SAMPLING },
	{ "--tfs",                SYNONYM_ANSWER, OUR_SAMPLING },
	{ "--top-nsigma",         SYNONYM_ANSWER, OUR_SAMPLING },
	{ "--top-n-sigma",        SYNONYM_ANSWER, OUR_SAMPLING },
	{ "--dynatemp-range",     SYNONYM_ZERO,   OUR_SAMPLING },
	{ "--xtc-probability",    SYNONYM_ZERO,   OUR_SAMPLING },
	{ "--dry-multiplier",     SYNONYM_ZERO,   OUR_SAMPLING },
	{ "--rope-freq-base",     SYNONYM_ZERO,   ROPE_IS_FIXED },
	{ "--rope-freq-scale",    SYNONYM_ANSWER, ROPE_IS_FIXED },
	{ "--rope-scaling",       SYNONYM_ANSWER, ROPE_IS_FIXED },
	{ "--rope-scale",         SYNONYM_ANSWER, ROPE_IS_FIXED },
	{ "--lora",               SYNONYM_ANSWER, OUR_ADAPTERS },
	{ "--lora-scaled",        SYNONYM_ANSWER, OUR_ADAPTERS },
	{ "-hf",                  SYNONYM_ANSWER, NO_DOWNLOAD },
	{ "--hf-repo",            SYNONYM_ANSWER, NO_DOWNLOAD },
	{ "-mu",                  SYNONYM_ANSWER, NO_DOWNLOAD },
	{ "--model-url",          SYNONYM_ANSWER, NO_DOWNLOAD },
	{ "--outtype",            SYNONYM_OPTION, "type" },
	{ "--imatrix",            SYNONYM_ANSWER, "brise calibrate CHECKPOINT --text FILE -o FILE.cal, then brise convert --calibration FILE.cal" },
	{ "--kl-divergence",      SYNONYM_ANSWER, "brise perplexity MODEL --text FILE --against F16.brise measures the divergence" },
	{ "--kl-divergence-base", SYNONYM_ANSWER, "brise perplexity MODEL --text FILE --against F16.brise measures the divergence" },
	{ "--version",            SYNONYM_ANSWER, "brise --version prints the version" },
};

static const synonym commands[] = {
	{ "generate",         SYNONYM_OPTION, "run" },
	{ "complete",         SYNONYM_OPTION, "run" },
	{ "completion",       SYNONYM_OPTION, "run" },
	{ "main",             SYNONYM_OPTION, "run" },
	{ "cli",              SYNONYM_OPTION, "run" },
	{ "llama-cli",        SYNONYM_OPTION, "run" },
	{ "llama-completion", SYNONYM_OPTION, "run" },
	{ "show",             SYNONYM_OPTION, "info" },
	{ "llama-tokenize",   SYNONYM_OPTION, "tokenize" },
	{ "llama-perplexity", SYNONYM_OPTION, "perplexity" },
	{ "llama-bench",      SYNONYM_OPTION, "bench" },
	{ "server",           SYNONYM_OPTION, "serve" },
	{ "llama-server",     SYNONYM_OPTION, "serve" },
	{ "quantize",         SYNONYM_ANSWER, OUR_CONVERT },
	{ "llama-quantize",   SYNONYM_ANSWER, OUR_CONVERT },
	{ "create",           SYNONYM_ANSWER, OUR_CONVERT },
	{ "imatrix",          SYNONYM_ANSWER, "brise calibrate CHECKPOINT --text FILE -o FILE.cal measures which weights matter" },
	{ "llama-imatrix",    SYNONYM_ANSWER, "brise calibrate CHECKPOINT --text FILE -o FILE.cal measures which weights matter" },
	{ "pull",             SYNONYM_ANSWER, NO_DOWNLOAD },
	{ "download",         SYNONYM_ANSWER, NO_DOWNLOAD },
	{ "push",             SYNONYM_ANSWER, "brise uploads nothing; a model is one file" },
	{ "list",             SYNONYM_ANSWER, NO_REGISTRY },
	{ "ls",               SYNONYM_ANSWER, NO_REGISTRY },
	{ "rm",               SYNONYM_ANSWER, NO_REGISTRY },
	{ "cp",               SYNONYM_ANSWER, NO_REGISTRY },
	{ "embed",            SYNONYM_ANSWER, NO_EMBEDDINGS },
	{ "embedding",        SYNONYM_ANSWER, NO_EMBEDDINGS },
	{ "llama-embedding",  SYNONYM_ANSWER, NO_EMBEDDINGS },
	{ "ps",               SYNONYM_ANSWER, "brise runs nothing in the background" },
	{ "stop",             SYNONYM_ANSWER, "brise runs nothing in the background" },
	{ "lora",             SYNONYM_ANSWER, OUR_ADAPTERS },
	{ "version",          SYNONYM_ANSWER, "brise --version prints the version" },
};
/* clang-format on */

const synonym *synonyms_option(unsigned index)
{
	return index < sizeof options / sizeof *options ? &options[index] : NULL;
}

const synonym *synonyms_find_command(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof commands / sizeof *commands; i++)
		if (strcmp(commands[i].typed, name) == 0)
			return &commands[i];
	return NULL;
}
