/* portable.h - the one place for compiler extensions outside arch/ */
#ifndef RUNTIME_PORTABLE_H
#define RUNTIME_PORTABLE_H

#if defined(__GNUC__) || defined(__clang__)
#define PORTABLE_PRINTF(format_index, first_index)                                                 \
	__attribute__((format(printf, format_index, first_index)))
#define PORTABLE_PREFETCH(address) __builtin_prefetch(address, 0, 2)
#else
#define PORTABLE_PRINTF(format_index, first_index)
#define PORTABLE_PREFETCH(address) ((void)(address))
#endif

#endif
