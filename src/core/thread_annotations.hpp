// Clang's thread-safety attributes under short names, and nothing on other compilers.
// `clang++ -Wthread-safety` then proves that guarded members are touched only under their lock.
#pragma once

#if defined(__clang__)
#define TREADLE_THREAD_ANNOTATION(x) __attribute__((x))
#else
#define TREADLE_THREAD_ANNOTATION(x)
#endif

#define TREADLE_CAPABILITY(name) TREADLE_THREAD_ANNOTATION(capability(name))
#define TREADLE_SCOPED_CAPABILITY TREADLE_THREAD_ANNOTATION(scoped_lockable)
#define TREADLE_GUARDED_BY(lock) TREADLE_THREAD_ANNOTATION(guarded_by(lock))
#define TREADLE_PT_GUARDED_BY(lock) TREADLE_THREAD_ANNOTATION(pt_guarded_by(lock))
#define TREADLE_REQUIRES(...) TREADLE_THREAD_ANNOTATION(requires_capability(__VA_ARGS__))
#define TREADLE_ACQUIRE(...) TREADLE_THREAD_ANNOTATION(acquire_capability(__VA_ARGS__))
#define TREADLE_RELEASE(...) TREADLE_THREAD_ANNOTATION(release_capability(__VA_ARGS__))
#define TREADLE_EXCLUDES(...) TREADLE_THREAD_ANNOTATION(locks_excluded(__VA_ARGS__))
