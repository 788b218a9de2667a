/* place.h - gives every tensor of a checkpoint its place in the model */
#ifndef CONVERT_CHECKPOINT_PLACE_H
#define CONVERT_CHECKPOINT_PLACE_H

#include "convert/checkpoint/opened.h"

/* Sorts o->list by name. Refused: two tensors of one name, with the files that hold them.
 * Errors: BRISE_EFORMAT. */
brise_status place_sort(opened *o);

/* Fills o->cp.tensors from o->list, which is sorted. Tensors that are no weights are ignored, with
 * a line of the decisions: tables of rotary frequencies, masks, biases that are all zero.
 * Everything else must be part of the model, have its shape (dimensions of one aside) and occur
 * once.
 * Errors: BRISE_EFORMAT, BRISE_EUNSUPPORTED, BRISE_EIO, BRISE_ENOMEM. */
brise_status place_tensors(opened *o);

#endif
