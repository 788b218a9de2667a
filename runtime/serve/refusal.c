/* refusal.c - see refusal.h */
#include "runtime/serve/refusal.h"

#include <stdarg.h>
#include <stdio.h>

const char *refusal_type(int status)
{
	switch (status) {
	case 401:
		return "authentication_error";
	case 403:
		return "permission_error";
	case 404:
		return "not_found_error";
	case 429:
		return "rate_limit_error";
	case 501:
		return "not_supported_error";
	case 503:
		return "service_unavailable_error";
	default:
		return status >= 500 ? "server_error" : "invalid_request_error";
	}
}

bool refusal_set(refusal *why, int status, const char *code, const char *param, const char *format,
                 ...)
{
	va_list list;

	if (why->status != 0)
		return false;
	why->status = status;
	why->type = refusal_type(status);
	why->code = code;
	(void)snprintf(why->param, sizeof why->param, "%s", param ? param : "");
	va_start(list, format);
	(void)vsnprintf(why->message, sizeof why->message, format, list);
	va_end(list);
	return false;
}
