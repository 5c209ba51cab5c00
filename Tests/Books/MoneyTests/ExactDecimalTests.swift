import Money
import Testing

@Suite struct ExactDecimalTests {
    @Test(
        "a number is read with the digits it has",
        arguments: [
            ("0", "0"), ("-0.50", "-0.50"), ("12.3400", "12.3400"), ("1e2", "100"), ("1.25e1", "12.5"),
            ("5E-2", "0.05"), ("+7", "7"), ("999999999999999.9999999999999999", "999999999999999.9999999999999999"),
        ])
    func reads(text: String, expected: String) {
        #expect(ExactDecimal(text)?.description == expected)
    }

    @Test(
        "what is no plain number, or is out of bounds, is refused",
        arguments: [
            "", "-", ".5", "5.", "1,5", "1e", "NaN", "Infinity", "0x10", "1 ", "1000000000000000", "1e15", "1e-17",
            "0.00000000000000001", "1e999", "--1", "1.2.3", "١",
        ])
    func refuses(text: String) {
        #expect(ExactDecimal(text) == nil)
    }

    @Test("0.1 + 0.2 is 0.3, for amounts at least")
    func exactSum() {
        #expect(ExactDecimal("0.1")! + ExactDecimal("0.2")! == ExactDecimal("0.3")!)
        #expect(ExactDecimal("0.30")! == ExactDecimal("0.3")!)
        #expect(ExactDecimal("0.30")!.hashValue == ExactDecimal("0.3")!.hashValue)
    }

    @Test(
        "rounding goes half up, away from zero at the half",
        arguments: [
            ("0.005", "0.01"), ("0.0049", "0.00"), ("-0.005", "-0.01"), ("1.115", "1.12"), ("2.5", "2.5"),
            ("-2.675", "-2.68"), ("99.995", "100.00"),
        ])
    func rounding(text: String, expected: String) {
        #expect(ExactDecimal(text)!.rounded(toScale: 2).description == expected)
    }

    @Test("a product beyond the bounds is nil, never a trap")
    func productBounds() {
        let large = ExactDecimal("999999999999999.9999999999999999")!
        #expect(large * large == nil)
        #expect(ExactDecimal("4.0909")! * ExactDecimal("1.1")! == ExactDecimal("4.49999")!)
    }

    @Test("a division is given only where it is exact")
    func division() {
        #expect(ExactDecimal("10")!.exactlyDivided(by: ExactDecimal("4")!, scale: 4)?.description == "2.5000")
        #expect(ExactDecimal("10")!.exactlyDivided(by: ExactDecimal("3")!, scale: 4) == nil)
        #expect(ExactDecimal("10")!.exactlyDivided(by: .zero, scale: 4) == nil)
        #expect(ExactDecimal("1.50")!.exactlyDivided(by: ExactDecimal("0.75")!, scale: 4)?.description == "2.0000")
    }
}

@Suite struct MoneyTests {
    @Test("money takes only whole cents, and says so for the rest")
    func wholeCents() {
        #expect(Money(exactly: ExactDecimal("12.30")!)?.cents == 1230)
        #expect(Money(exactly: ExactDecimal("12.3000")!)?.cents == 1230)
        #expect(Money(exactly: ExactDecimal("12.301")!) == nil)
        #expect(Money(exactly: ExactDecimal("100000000.01")!) == nil)
        #expect(Money(cents: -5).description == "-0.05")
        #expect(Money(cents: 123_456).description == "1234.56")
    }

    @Test("parts of an allotment add up to the whole, for a thousand random splits")
    func allotment() {
        var generator = Seeded(seed: 11)
        for round in 0..<1000 {
            let weights = (0..<Int.random(in: 1...7, using: &generator)).map { _ in
                Money(cents: Int64.random(in: 1...5000, using: &generator))
            }
            let amount = Money(cents: Int64.random(in: -9999...9999, using: &generator))
            let parts = amount.allotted(by: weights)
            #expect(parts?.sum() == amount, "round \(round)")
            let total = weights.sum()
            for (part, weight) in zip(parts ?? [], weights) {
                // Each part is within a cent of its exact share.
                let deviation = part.cents * total.cents - amount.cents * weight.cents
                #expect(abs(deviation) < total.cents, "round \(round)")
            }
        }
    }

    @Test("the cents left over go to the largest remainders, the earlier part first")
    func remainders() {
        let thirds = [Money(cents: 100), Money(cents: 100), Money(cents: 100)]
        #expect(Money(cents: 100).allotted(by: thirds)?.map(\.cents) == [34, 33, 33])
        #expect(Money(cents: -100).allotted(by: thirds)?.map(\.cents) == [-34, -33, -33])
        #expect(Money(cents: 5).allotted(by: [Money(cents: 100), Money(cents: -100)]) == nil)
        #expect(Money(cents: 3).allotted(by: [Money(cents: 300), Money(cents: -100)])?.sum() == Money(cents: 3))
    }
}

/// SplitMix64: the same numbers on every machine.
struct Seeded: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
