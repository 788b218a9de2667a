/* chat_format.c - see chat_format.h */
#include "runtime/cli/chat_format.h"

#include <string.h>

#include "runtime/cli/input.h"
#include "runtime/error.h"
#include "runtime/os/memory.h"
#include "runtime/os/os.h"

bool chat_format_is_name(const char *value)
{
	static const char *const names[] = { "v1",  "v2",  "v3",     "v3-tekken", "v7",
		                             "v11", "v13", "chatml", "zephyr" };
	size_t i;

	for (i = 0; i < sizeof names / sizeof *names; i++)
		if (!strcmp(names[i], value))
			return true;
	return false;
}

brise_status chat_format_read(char **text, const char *value, brise_error *err)
{
	os_facts file;
	size_t bytes;

	*text = NULL;
	if (chat_format_is_name(value)) {
		*text = memory_copy_text(value);
		return *text ? BRISE_OK : error_set(err, BRISE_ENOMEM, "no memory for a name");
	}
	if (!os_examine(value, &file))
		return error_set(err, BRISE_EINVAL,
		                 "--chat-format \"%s\": neither a format of this program "
		                 "(v1, v2, v3, v3-tekken, v7, v11, v13, chatml, zephyr) nor a "
		                 "file",
		                 value);
	return input_read_text(value, text, &bytes, err);
}

brise_status chat_format_open(brise_chat **out, const brise_tokenizer *tokenizer,
                              const brise_model_facts *facts, const char *value, brise_error *err)
{
	brise_chat_options options = { .size = sizeof options };
	char *text = NULL;
	brise_status status;

	if (!value || chat_format_is_name(value)) {
		options.format = value;
		return brise_new_chat(out, tokenizer, facts, &options, err);
	}
	if ((status = chat_format_read(&text, value, err)) != BRISE_OK)
		return status;
	options.affixes = text;
	options.affixes_bytes = strlen(text);
	options.affixes_name = value;
	status = brise_new_chat(out, tokenizer, facts, &options, err);
	memory_free(text);
	return status;
}
