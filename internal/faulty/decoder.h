/* A decoder that fails as decoders do. */
#ifndef UPSCALED_FAULTY_DECODER_H
#define UPSCALED_FAULTY_DECODER_H

#include <glib.h>

typedef enum { DECODER_ABORTS, DECODER_HANGS, DECODER_LAGS } DecoderTrouble;

/* Registers a decoder of H.264 that goes before all others, shows grey pictures and
 * is in trouble at the one after so many. */
gboolean decoder_register(DecoderTrouble trouble, int after);

#endif
