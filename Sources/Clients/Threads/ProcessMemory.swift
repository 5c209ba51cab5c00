import CLinux

package enum ProcessMemory {
    /// Keeps the allocator to so many arenas. Each thread that allocates may otherwise get one of its own, and a worker
    /// has a dozen threads that mostly sleep: the memory of their arenas is never used again. Call it first of all.
    package static func limitArenas(to count: Int32) { _ = mallopt(M_ARENA_MAX, count) }
}
