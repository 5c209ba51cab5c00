import AMQP
import Testing

@Suite("The ledger of unconfirmed publishes")
struct ConfirmLedgerTests {
    private func settled(_ ledger: inout ConfirmLedger<String>, _ tag: UInt64, multiple: Bool) -> [Int] {
        var seen: [Int] = []
        ledger.settle(tag, multiple: multiple) { seen.append($0.index) }
        return seen
    }

    @Test("single confirms settle in any order, once")
    func singles() {
        var ledger = ConfirmLedger<String>()
        for index in 0..<3 { ledger.append("a", index: index) }
        #expect(settled(&ledger, 2, multiple: false) == [1])
        #expect(settled(&ledger, 2, multiple: false) == [])
        #expect(settled(&ledger, 1, multiple: false) == [0])
        #expect(settled(&ledger, 3, multiple: false) == [2])
        #expect(ledger.count == 0)
    }

    @Test("a multiple confirm settles all that is open up to it")
    func multiple() {
        var ledger = ConfirmLedger<String>()
        for index in 0..<5 { ledger.append("a", index: index) }
        #expect(settled(&ledger, 2, multiple: false) == [1])
        #expect(settled(&ledger, 4, multiple: true) == [0, 2, 3])
        #expect(ledger.count == 1)
    }

    @Test("numbers never given are passed over")
    func foreign() {
        var ledger = ConfirmLedger<String>()
        ledger.append("a", index: 0)
        #expect(settled(&ledger, 0, multiple: true) == [])
        #expect(settled(&ledger, 2, multiple: true) == [])
        #expect(ledger.count == 1)
    }

    @Test("numbers stay right over many thousand publishes, whatever the order")
    func longRun() {
        var ledger = ConfirmLedger<String>()
        var generator = SystemRandomNumberGenerator()
        var open: Set<Int> = []
        var sent = 0
        while sent < 20_000 {
            for _ in 0..<Int.random(in: 1...50, using: &generator) {
                ledger.append("a", index: sent)
                open.insert(sent)
                sent += 1
            }
            guard let some = open.randomElement(using: &generator) else { continue }
            let multiple = Bool.random(using: &generator)
            let expected = multiple ? open.filter { $0 <= some } : [some]
            #expect(Set(settled(&ledger, UInt64(some + 1), multiple: multiple)) == Set(expected))
            open.subtract(expected)
            #expect(ledger.count == open.count)
        }
    }
}

@Suite("The ledger of unacknowledged deliveries")
struct AcknowledgementLedgerTests {
    private func ledger(_ count: UInt64) -> AcknowledgementLedger {
        var ledger = AcknowledgementLedger()
        for tag in 1...count { ledger.opened(tag) }
        return ledger
    }

    @Test("the oldest batch goes with one frame")
    func oldest() {
        var ledger = ledger(5)
        #expect(ledger.acknowledge([1, 2, 3]) == [.upTo(3)])
        #expect(ledger.openCount == 2)
    }

    @Test("a later batch goes one by one while an earlier one is open")
    func later() {
        var ledger = ledger(4)
        #expect(ledger.acknowledge([3, 4]) == [.single(3), .single(4)])
        #expect(ledger.acknowledge([2, 1]) == [.upTo(2)])
        #expect(ledger.openCount == 0)
    }

    @Test("what was settled does not come again and leaves no gap")
    func gaps() {
        var ledger = ledger(5)
        let isRejected = ledger.settle(2)
        #expect(isRejected)
        let isRejectedAgain = ledger.settle(2)
        #expect(!isRejectedAgain)
        #expect(ledger.acknowledge([1, 2, 3, 5]) == [.upTo(3), .single(5)])
        #expect(ledger.acknowledge([1, 2, 3, 5]) == [])
        #expect(ledger.acknowledge([4]) == [.upTo(4)])
    }

    @Test("a frame never speaks for an open delivery, and speaks for every acknowledged one")
    func model() {
        var generator = SystemRandomNumberGenerator()
        var ledger = AcknowledgementLedger()
        var open: Set<UInt64> = []
        var next: UInt64 = 1
        for _ in 0..<2_000 {
            for _ in 0..<Int.random(in: 0...10, using: &generator) {
                ledger.opened(next)
                open.insert(next)
                next += 1
            }
            let acknowledged = Set(open.shuffled(using: &generator).prefix(Int.random(in: 0...8, using: &generator)))
            var spoken: Set<UInt64> = []
            for step in ledger.acknowledge(acknowledged) {
                switch step {
                case .single(let tag):
                    #expect(open.contains(tag))
                    spoken.insert(tag)
                case .upTo(let tag):
                    #expect(open.contains(tag))
                    spoken.formUnion(open.filter { $0 <= tag })
                }
            }
            #expect(spoken == acknowledged)
            open.subtract(acknowledged)
            #expect(ledger.openCount == open.count)
        }
    }
}

@Suite("The pause before connecting again")
struct AMQPBackoffTests {
    /// Gives one number for ever.
    private struct Constant: RandomNumberGenerator {
        let value: UInt64
        mutating func next() -> UInt64 { value }
    }

    /// A small generator with a seed (splitmix64), so that a run can be had again.
    private struct Seeded: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var mixed = (state ^ state >> 30) &* 0xBF58_476D_1CE4_E5B9
            mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
            return mixed ^ mixed >> 31
        }
    }

    private let backoff = AMQPBackoff(initial: .milliseconds(100), max: .seconds(2))

    private func delays(_ count: Int, using generator: some RandomNumberGenerator) -> [Duration] {
        var generator = generator
        return (1...count).map { backoff.delay(attempt: $0, using: &generator) }
    }

    @Test("at its longest it doubles from the first pause to its limit, and stays there")
    func longest() {
        let expected = [100, 200, 400, 800, 1_600, 2_000, 2_000, 2_000].map { Duration.milliseconds($0) }
        #expect(delays(8, using: Constant(value: .max)) == expected)
        var generator = Constant(value: .max)
        #expect(backoff.delay(attempt: 1_000_000, using: &generator) == .seconds(2))
        // What is no attempt counts as the first.
        #expect(backoff.delay(attempt: 0, using: &generator) == .milliseconds(100))
    }

    @Test("at its shortest it is no pause at all: the jitter is full")
    func shortest() {
        // 1, not 0: a draw of 0 may be drawn again, for ever.
        #expect(delays(8, using: Constant(value: 1)).allSatisfy { $0 == .zero })
    }

    @Test("two that failed together do not come back together, and a seed gives the same pauses again")
    func jitter() {
        let first = delays(20, using: Seeded(state: 1))
        #expect(first == delays(20, using: Seeded(state: 1)))
        #expect(first != delays(20, using: Seeded(state: 2)))
        for (index, delay) in first.enumerated() {
            #expect(delay >= .zero && delay <= min(.milliseconds(100) * (1 << index), .seconds(2)))
        }
        #expect(Set(first).count > 15)
    }
}
