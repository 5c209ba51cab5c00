import JSON
import Testing

@testable import KountaSimulator

@Suite(.timeLimit(.minutes(3))) struct AmountsAddUpTests {
    /// Every combination of the open questions.
    static let shapes: [OrderShape] = [true, false].flatMap { lines in
        [true, false].flatMap { tips in
            [true, false].map { plain in
                var shape = OrderShape()
                shape.lineTotalsIncludeVariations = lines
                shape.tipsInTotal = tips
                shape.isPlain = plain
                return shape
            }
        }
    }

    @Test("every generated order adds up to its total, its tax and what was paid, over many seeds and both readings",
        arguments: shapes)
    func ordersAddUp(shape: OrderShape) throws {
        for seed in UInt64(1)...12 {
            let generator = OrderGenerator(seed: seed, shape: shape)
            for n in 0..<40 {
                let bytes = generator.detail(n, company: 162, site: 923, createdAt: 1_795_338_000)
                let problem = try Self.problem(of: try JSON(parsing: bytes), shape)
                #expect(problem == nil, "seed \(seed), order \(n): \(String(decoding: bytes, as: UTF8.self))")
            }
        }
    }

    @Test("the check finds a cent that is missing")
    func theCheckCanFail() throws {
        var shape = OrderShape()
        shape.isPlain = true
        let generator = OrderGenerator(seed: 1, shape: shape)
        let record = try JSON(parsing: generator.detail(3, company: 1, site: 2, createdAt: 0))
        let total = try #require(record["total"]).scaled
        let wrong = try JSON(parsing: "{\"total\":\(total / 10_000 + 1)}")
        #expect(try Self.problem(of: record, shape) == nil)
        #expect(try Self.problem(of: try JSON(parsing: OrderEditing.merging(wrong, into: record)), shape) != nil)
    }

    @Test("the trade shows every kind of order a till knows")
    func varietyIsThere() throws {
        let generator = OrderGenerator(seed: 7)
        let text = (0..<1_500).map { n in
            String(decoding: generator.detail(n, company: 162, site: 923, createdAt: 1_795_338_000), as: UTF8.self)
        }
        let signs = [
            "\"price_variation\":0.9", "\"price_variation\":1.15", "\"price_fixed_variation\":-5,",
            "\"price_fixed_variation\":-0.5", "\"unit_price\":-4.5455", "\"taxes\":[]", "\"rate\":0}",
            "\"part_of_option_set\":true", "\"modifiers\":[{", "\"amount\":0.00,\"tip\":", "\"customer\":{",
            "\"total\":\"", "\"number\":2,\"method\":{\"id\":2,", "Gift Card",
        ]
        for sign in signs { #expect(text.contains { $0.contains(sign) }, "\(sign) never occurs") }
        #expect(text.contains { !$0.contains("line_total_ex_tax") })
        #expect(text.contains { !$0.contains("\"total_tax\"") })
        #expect(text.contains { $0.contains("\"quantity\":0.") })
        let evenly = (0..<1_500).count { n in
            let payments = generator.order(n, company: 162, site: 923, register: 1, createdAt: 1_795_338_000).payments
            return payments.count > 1 && payments[0].method == payments[1].method
                && payments[0].amountCents == payments[1].amountCents
        }
        #expect(evenly > 10, "few bills are split evenly: \(evenly)")
        #expect(text.map(\.utf8.count).reduce(0, +) / text.count > 1_500)
    }

    @Test("the same seed makes the same orders, in any order; another seed makes others")
    func seeds() {
        func make(_ seed: UInt64, _ n: Int) -> [UInt8] {
            OrderGenerator(seed: seed).detail(n, company: 162, site: 923, createdAt: 1_795_338_000)
        }
        let late = make(1, 900)
        #expect(make(1, 3) == make(1, 3))
        #expect(make(1, 900) == late)
        #expect(make(2, 900) != late)
    }

    /// What does not add up in a complete order, or nil.
    static func problem(of order: JSON, _ shape: OrderShape) throws -> String? {
        let lines = order["lines"]?.elements ?? []
        let payments = order["payments"]?.elements ?? []
        let tips = try payments.reduce(0) { try $0 + ($1["tip"]?.scaled ?? 0) }
        guard let total = try order["total"]?.scaled, total > 0, try order["tips"]?.scaled == tips else {
            return "total or tips"
        }
        let goods = total - (shape.tipsInTotal ? tips : 0)
        let isOld = lines.contains { $0["line_total_tax"] == nil }
        var sum = 0
        for line in lines { sum += try charge(of: line, isFinal: shape.lineTotalsIncludeVariations && !isOld) }
        if isOld || !shape.lineTotalsIncludeVariations {
            // Before variations: each step must leave whole cents, so that no way of rounding can differ.
            let varied = sum * (try order["price_variation"]?.scaled ?? 10_000)
            guard varied % 1_000_000 == 0 else { return "the order's variation leaves a part of a cent" }
            sum = varied / 10_000 + (try order["price_fixed_variation"]?.scaled ?? 0)
        }
        guard sum == goods else { return "lines make \(sum), the goods are \(goods)" }
        if let tax = try order["total_tax"]?.scaled, !isOld, shape.lineTotalsIncludeVariations {
            guard try lines.reduce(0, { try $0 + ($1["line_total_tax"]?.scaled ?? 0) }) == tax else { return "tax" }
        }
        let amounts = try payments.reduce(0) { try $0 + ($1["amount"]?.scaled ?? 0) }
        // A tip added later, by any means, does not stop the sale itself from being rounded as cash.
        let tenders = try payments.filter { try $0["amount"]?.scaled != 0 }
        let isCash = tenders.count == 1 && tenders[0]["method"]?["id"]?.integer == 1
        guard abs(amounts - goods) <= (isCash && !shape.isPlain ? 200 : 0) else { return "payments make \(amounts)" }
        guard try order["paid"]?.scaled == amounts + tips else { return "paid" }
        return nil
    }

    private static func charge(of line: JSON, isFinal: Bool) throws -> Int {
        guard let price = try line["unit_price"]?.scaled, let tax = try line["unit_tax"]?.scaled,
            let quantity = try line["quantity"]?.scaled
        else { throw NoAmount() }
        var listed = (price + tax) * quantity / 10_000
        if let exTax = try line["line_total_ex_tax"]?.scaled, let lineTax = try line["line_total_tax"]?.scaled {
            if isFinal { return exTax + lineTax }
            guard abs(exTax + lineTax - listed) <= 50 else { throw NoAmount() }
            listed = exTax + lineTax
        }
        let varied = listed * (try line["price_variation"]?.scaled ?? 10_000)
        guard varied % 1_000_000 == 0 else { throw NoAmount() }
        return varied / 10_000 + (try line["price_fixed_variation"]?.scaled ?? 0)
    }
}
