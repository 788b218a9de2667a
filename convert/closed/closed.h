/* closed.h - encoding in a closed loop: each matrix is rounded for the inputs that the quantized
 * model before it gives
 *
 * Two models run over a text, layer by layer in the order of use: the original, and the one that is
 * being made. Each matrix is first corrected towards the original's outputs
 * (convert/closed/correction.h), then rounded with error feedback and descent
 * (quant/encode/book_descent.h) for the moments of what the quantized model gives it. The embedding
 * multiplies nothing and is encoded as without calibration.
 */
#ifndef CONVERT_CLOSED_CLOSED_H
#define CONVERT_CLOSED_CLOSED_H

#include "convert/encode.h"

/* Of a longer text the first tokens are used: time grows with them, and a 7B model is to be done in
 * two hours. */
#define CLOSED_TOKENS 16384u

/* Refuses, before time is spent on anything else, a target or a disk that closed_write would
 * refuse. Errors: BRISE_EIO, BRISE_ENOMEM, BRISE_EUNSUPPORTED. */
brise_status closed_check(const encode_job *job, brise_error *err);

/* Writes the file job->name with the plan's tensors, on the text of the job's calibration; adds up
 * the errors in *all.
 *
 * The same input gives the same file for any number of threads. What is done is kept in
 * NAME.unfinished (convert/closed/loop_file.h); after an error, a cancel or a kill the same call
 * resumes behind the last complete layer. A line to `decision` says beforehand
 * how much memory and disk it takes.
 * Errors: those of encode_tensors, of the calibration's text and of streams; BRISE_EIO,
 * BRISE_ENOMEM, BRISE_ECANCELED. */
brise_status closed_write(const encode_job *job, tile_error *all, brise_error *err);

#endif
