/* Threads that give way to the others of this process. */
#ifndef UPSCALED_PIPELINE_PRIORITY_H
#define UPSCALED_PIPELINE_PRIORITY_H

#include <gst/gst.h>

/* Has the streaming thread of a queue, and all threads that are started on it,
 * give way once the pipeline is one of pipeline_with_priorities. Call both
 * before the pipeline leaves NULL. */
void queue_give_way(void *queue);

void pipeline_with_priorities(void *pipeline);

#endif
