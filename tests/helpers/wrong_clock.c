/* The clock of a machine that is set wrongly: whoever asks for the time of day gets it CLOCK_SHIFT_S seconds off.
   Preloaded, as libfaketime is, whose sleeps fail now and then under Python. Monotonic clocks, and so all waits, are
   right. Needs no header, as a compiler alone is enough to build it. */

struct timespec { long seconds, nanoseconds; };
struct timeval { long seconds, microseconds; };

extern void *dlsym(void *, const char *);
extern char *getenv(const char *);
extern long atol(const char *);

#define NEXT ((void *)-1L)
#define REALTIME 0
#define REALTIME_COARSE 5

static int (*true_clock)(int, struct timespec *);
static long shift;

__attribute__((constructor)) static void begin(void)
{
    const char *given = getenv("CLOCK_SHIFT_S");
    true_clock = (int (*)(int, struct timespec *))dlsym(NEXT, "clock_gettime");
    shift = given ? atol(given) : 0;
}

int clock_gettime(int which, struct timespec *now)
{
    int failed;
    if (!true_clock)
        begin();
    failed = true_clock(which, now);
    if (!failed && (which == REALTIME || which == REALTIME_COARSE))
        now->seconds += shift;
    return failed;
}

int gettimeofday(struct timeval *now, void *zone)
{
    struct timespec found;
    int failed = clock_gettime(REALTIME, &found);
    (void)zone;
    now->seconds = found.seconds;
    now->microseconds = found.nanoseconds / 1000;
    return failed;
}

long time(long *result)
{
    struct timespec found;
    clock_gettime(REALTIME, &found);
    if (result)
        *result = found.seconds;
    return found.seconds;
}
