/* A clock of its own for one process: preloaded, it adds what stands in a file, in nanoseconds, to
 * the time of day. The monotonic clock is the machine's. See solidstate_yard.py.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile long long *ahead;

void set_clock_by(const char *path)
{
    int file = open(path, O_RDONLY);
    void *found = file < 0 ? MAP_FAILED : mmap(0, sizeof *ahead, PROT_READ, MAP_SHARED, file, 0);
    if (found == MAP_FAILED)
        _exit(3);
    ahead = found;
    close(file);
}

int clock_gettime(clockid_t clock, struct timespec *time)
{
    int failed = syscall(SYS_clock_gettime, clock, time);
    if (!failed && ahead && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        long long sum = time->tv_sec * 1000000000LL + time->tv_nsec + *ahead;
        time->tv_sec = sum / 1000000000;
        time->tv_nsec = sum % 1000000000;
    }
    return failed;
}

int gettimeofday(struct timeval *time, void *zone)
{
    struct timespec precise;
    int failed = clock_gettime(CLOCK_REALTIME, &precise);
    (void)zone;
    time->tv_sec = precise.tv_sec;
    time->tv_usec = precise.tv_nsec / 1000;
    return failed;
}

time_t time(time_t *kept)
{
    struct timespec precise;
    clock_gettime(CLOCK_REALTIME, &precise);
    if (kept)
        *kept = precise.tv_sec;
    return precise.tv_sec;
}
