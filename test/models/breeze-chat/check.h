/* check.h - what shows that the passes are right before anything is trained with them */
#ifndef BREEZE_CHAT_CHECK_H
#define BREEZE_CHAT_CHECK_H

#include <stdbool.h>

/* Compares, for the tensors of the first and the last layer and those outside of layers, the slope
 * of the loss along the gradient with a central difference; prints the relative differences. Then
 * takes some steps on the same sequences. False if a difference is above 1%, or a step did not
 * lower the loss. */
bool check_gradient(const float *parameters);

/* Prints exp of the mean -ln p of the ids after the first, as one stream; IDS: decimal numbers
 * separated by white space. False: no such file. */
bool check_perplexity(const float *parameters, const char *ids);

#endif
