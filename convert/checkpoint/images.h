/* images.h - the tensors of a model that read images, which a language model does without */
#ifndef CONVERT_CHECKPOINT_IMAGES_H
#define CONVERT_CHECKPOINT_IMAGES_H

#include "convert/formats/notes.h"
#include "convert/formats/tensors.h"

/* Removes them from the list, whose names are as in the file; a line says how many. */
void images_remove(tensor_list *list, notes *decisions);

#endif
