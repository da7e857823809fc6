/* What code that a newer compiler made for ThreadSanitizer calls, and the runtime of an older one has not: they go
   where these functions have always gone, through its interceptors. */
#include <string.h>

void *__tsan_memcpy(void *to, const void *from, size_t bytes) { return memcpy(to, from, bytes); }
void *__tsan_memmove(void *to, const void *from, size_t bytes) { return memmove(to, from, bytes); }
void *__tsan_memset(void *to, int with, size_t bytes) { return memset(to, with, bytes); }
