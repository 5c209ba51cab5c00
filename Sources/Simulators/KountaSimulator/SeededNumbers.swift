/// SplitMix64: the same seed gives the same numbers on every machine.
package struct SeededNumbers: Sendable {
    private var state: UInt64

    package init(seed: UInt64) { state = seed }

    /// Numbers of their own for the n-th thing of a seed, so that things can be made in any order.
    package init(seed: UInt64, stream n: UInt64) {
        state = seed &+ n &* 0x9E37_79B9_7F4A_7C15
        state = next() ^ n
    }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// A number in `0..<bound`; the bias of a small bound is far below what trade would show.
    package mutating func below(_ bound: Int) -> Int { Int(truncatingIfNeeded: next() >> 33) % bound }

    /// True in so many of a hundred cases.
    package mutating func percent(_ share: Int) -> Bool { below(100) < share }

    package mutating func pick<T>(_ choices: [T]) -> T { choices[below(choices.count)] }
}
