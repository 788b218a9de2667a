/* factor.h - from a calibration's moments to the factors that error feedback needs
 * (quant/encode/book_feedback.h) */
#ifndef CONVERT_CALIBRATION_FACTOR_H
#define CONVERT_CALIBRATION_FACTOR_H

#include "convert/calibration/calibration.h"
#include "quant/encode/book_feedback.h"
#include "runtime/os/threads.h"

/* Room for the factors of an input of `cols` columns: out->panels and variance, and with `descent`
 * what that needs, filled by factor_input or factor_data. products: what encoding with them calls
 * (arch/tools/tools.h). Errors: BRISE_ENOMEM. */
brise_status factor_new(book_feedback *out, uint32_t cols, uint32_t span, bool descent,
                        book_products_fn *products, brise_error *err);
void factor_free(book_feedback *f);

/* H = A D A^T for input `index` of a calibration whose spans are a multiple of out->span, or out's
 * own. The result does not depend on the
 * threads. cancel (NULL: never) is called from the calling thread some hundred times; `out` is
 * undefined after an error. Errors: BRISE_ENOMEM, BRISE_EFORMAT (no moments), BRISE_ECANCELED. */
brise_status factor_input(book_feedback *out, const calibration *c, uint32_t index, pool *threads,
                          brise_cancel_fn *cancel, void *user, brise_error *err);

/* The same for data that are in memory in the form that a calibration file has them: of
 * out->cols columns in spans of out->span. damping: the part of the mean square that is added to
 * each; `name` is for messages. */
brise_status factor_data(book_feedback *out, const void *data, double damping, const char *name,
                         pool *threads, brise_cancel_fn *cancel, void *user, brise_error *err);

#endif
