import Domain
import FoundationEssentials
import Mapping
import Money
import OrderRecipes
import Testing

@Suite struct OrderMappingTests {
    let mapping = OrderMapping(books: .example)

    @Test("a plain sale becomes one line a product, paid in full, on the day at the venue")
    func plain() throws {
        var order = Order.example(total: "9.30", lines: [.example("Flat White", "2", "9.30")])
        order.saleNumber = "T1-104"
        let invoice = try mapping.invoice(for: order)
        #expect(invoice.number.text == "HBR-5000000001")
        #expect(invoice.reference == "T1-104")
        #expect(invoice.date.description == "2026-11-23")
        #expect(invoice.total == Money(cents: 930))
        #expect(invoice.lines.map(\.quantity.description) == ["2"])
        #expect(invoice.lines.map(\.unitAmount.description) == ["4.65"])
        #expect(invoice.lines.map(\.taxType) == ["OUTPUT"])
        #expect(invoice.payments.map(\.account) == ["232"])
        #expect(invoice.paid == invoice.total)
    }

    @Test("a price that does not divide goes out as one unit that says how many")
    func indivisible() throws {
        let order = Order.example(total: "10.00", lines: [.example("Oysters", "3", "10.00")])
        let line = try #require(try mapping.invoice(for: order).lines.first)
        #expect(line.quantity == .one)
        #expect(line.unitAmount.description == "10.00")
        #expect(line.description == "3 × Oysters")
    }

    @Test("an order discount is spread over the tax types and adds up")
    func orderDiscount() throws {
        var order = Order.example(
            total: "13.50", lines: [.example("Pie", "1", "10.00"), .example("Bread", "1", "5.00", rates: [])])
        order.priceVariation = ExactDecimal("0.9")!
        let invoice = try mapping.invoice(for: order)
        #expect(invoice.total == Money(cents: 1350))
        let discounts = invoice.lines.filter { $0.description == "Order discount" }
        #expect(discounts.map(\.amount.cents) == [-100, -50])
        #expect(discounts.map(\.taxType) == ["OUTPUT", "EXEMPTOUTPUT"])
    }

    @Test("the reading of line amounts that adds up is taken, whichever it is")
    func readings() throws {
        var line = OrderLine.example("Pie", "1", "10.00")
        line.priceVariation = ExactDecimal("0.9")!
        // Line amounts before the line's own variation.
        #expect(try mapping.invoice(for: .example(total: "9.00", lines: [line])).total == Money(cents: 900))
        // Line amounts after it.
        #expect(try mapping.invoice(for: .example(total: "10.00", lines: [line])).total == Money(cents: 1000))
        // Before both variations.
        var order = Order.example(total: "8.10", lines: [line])
        order.priceVariation = ExactDecimal("0.9")!
        #expect(try mapping.invoice(for: order).total == Money(cents: 810))
        // Neither adds up: both figures are told.
        let park = #expect(throws: Park.self) { try mapping.invoice(for: .example(total: "7.00", lines: [line])) }
        #expect(park?.cause.contains("7.00") == true)
        #expect(park?.deadLetterClass == .value)
    }

    @Test("a stray cent goes to the rounding line, six cents go to the desk")
    func rounding() throws {
        let invoice = try mapping.invoice(for: .example(total: "10.01", lines: [.example("Pie", "1", "10.00")]))
        #expect(invoice.lines.last?.account == "860")
        #expect(invoice.lines.last?.amount.cents == 1)
        #expect(throws: Park.self) {
            try mapping.invoice(for: .example(total: "10.06", lines: [.example("Pie", "1", "10.00")]))
        }
    }

    @Test("cash rounded to five cents is booked as it was taken")
    func cashRounding() throws {
        let order = Order.example(
            total: "9.98", lines: [.example("Pie", "1", "9.98")],
            payments: [Tender(method: "Cash", amount: ExactDecimal("10.00")!)])
        let invoice = try mapping.invoice(for: order)
        #expect(invoice.total == Money(cents: 1000))
        #expect(invoice.paid == Money(cents: 1000))
        #expect(invoice.lines.last?.description == "Cash rounding")
        #expect(invoice.lines.last?.amount.cents == 2)
    }

    @Test("tips are found wherever the till put them, and go to the tips account")
    func tips() throws {
        let lines = [OrderLine.example("Pie", "1", "20.00")]
        func tip(_ total: String, _ amount: String) throws -> Invoice {
            let tender = Tender(method: "Card", amount: ExactDecimal(amount)!, tip: ExactDecimal("3.00")!)
            return try mapping.invoice(for: .example(total: total, lines: lines, payments: [tender]))
        }
        // On top of total and amount; inside the amount only; inside both.
        for invoice in [try tip("20.00", "20.00"), try tip("20.00", "23.00"), try tip("23.00", "23.00")] {
            #expect(invoice.total == Money(cents: 2300))
            #expect(invoice.paid == Money(cents: 2300))
            #expect(invoice.lines.last?.account == "825")
            #expect(invoice.lines.last?.amount.cents == 300)
        }
        // A later tip: an extra payment of 0.00 that carries it.
        let later = try mapping.invoice(
            for: .example(
                total: "20.00", lines: lines,
                payments: [
                    Tender(method: "Card", amount: ExactDecimal("20.00")!),
                    Tender(method: "Card", amount: .zero, tip: ExactDecimal("2.50")!),
                ]))
        #expect(later.total == Money(cents: 2250))
        #expect(later.payments.map(\.amount.cents) == [2000, 250])
    }

    @Test("change given back is netted with the cash it came from")
    func change() throws {
        let invoice = try mapping.invoice(
            for: .example(
                total: "17.00", lines: [.example("Pie", "1", "17.00")],
                payments: [
                    Tender(method: "Cash", amount: ExactDecimal("20.00")!),
                    Tender(method: "Cash", amount: ExactDecimal("-3.00")!),
                ]))
        #expect(invoice.payments.map(\.amount.cents) == [1700])
        #expect(invoice.payments.map(\.account) == ["231"])
    }

    @Test("a free order is an invoice of 0.00 without payments")
    func free() throws {
        var order = Order.example(total: "0.00", lines: [.example("Pie", "1", "8.00")], payments: [])
        order.priceVariation = .zero
        let invoice = try mapping.invoice(for: order)
        #expect(invoice.total == .zero)
        #expect(invoice.payments.isEmpty)
    }

    @Test("what cannot be booked says what, where and how to mend it")
    func parks() {
        let pie = [OrderLine.example("Pie", "1", "10.00")]
        var pending = Order.example(total: "10.00", lines: pie)
        pending.status = "PENDING"
        var refund = Order.example(total: "10.00", lines: pie)
        refund.isRefund = true
        var twoTaxes = OrderLine.example("Wine", "1", "10.00")
        twoTaxes.taxRates = [ExactDecimal("0.1")!, ExactDecimal("0.29")!]
        let cases: [(Order, DeadLetterClass, String)] = [
            (.example(total: "-10.00", lines: [.example("Pie", "-1", "-10.00")]), .value, "refund"),
            (pending, .value, "PENDING"), (refund, .value, "refund"),
            (.example(total: "0.00", lines: []), .value, "no lines"),
            (.example(total: "10.001", lines: pie), .value, "10.001"),
            (.example(total: "10.00", lines: [.example("Pie", "1", "10.00", rates: ["0.2"])]), .mapping, "rate of 0.2"),
            (.example(total: "10.00", lines: [twoTaxes]), .mapping, "2 taxes"),
            (.example(total: "10.00", lines: []), .value, "no lines"),
            (.example(total: "10.00", lines: pie, payments: [Tender(method: "Card", amount: ExactDecimal("7.00")!)]),
                .value, "took 7.00"),
        ]
        for (order, deadLetterClass, word) in cases {
            let park = #expect(throws: Park.self) { try mapping.invoice(for: order) }
            #expect(park?.deadLetterClass == deadLetterClass)
            #expect(park?.cause.contains(word) == true, "\(park?.cause ?? "")")
            #expect(park?.remedy.isEmpty == false)
        }
        var strict = VenueBooks.example
        strict.fallbackClearingAccount = nil
        let barter = Order.example(
            total: "10.00", lines: pie, payments: [Tender(method: "Barter", amount: ExactDecimal("10.00")!)])
        let park = #expect(throws: Park.self) { try OrderMapping(books: strict).invoice(for: barter) }
        #expect(park?.cause.contains("Barter") == true)
    }

    @Test("whatever the order, the invoice's total is what was taken, or it is parked: random orders by the thousand")
    func property() {
        // `make property N=…` plays more.
        let environment = ProcessInfo.processInfo.environment
        let cases = environment["TILLBRIDGE_PROPERTY_CASES"].flatMap { Int($0) } ?? 20_000
        let seed = environment["TILLBRIDGE_PROPERTY_SEED"].flatMap { UInt64($0) } ?? 2026
        var generator = Seeded(seed: seed)
        var booked = 0
        for round in 0..<cases {
            let order = Order.random(&generator)
            guard let invoice = try? mapping.invoice(for: order) else { continue }
            booked += 1
            let taken = invoice.payments.lazy.map(\.amount).sum()
            #expect(invoice.total == taken, "seed \(seed), round \(round)")
            #expect(
                !invoice.lines.contains { line in line.quantity * line.unitAmount != line.amount.decimal },
                "seed \(seed), round \(round)")
            let roundings = invoice.lines.filter { $0.account == "860" }.map(\.amount.magnitude)
            #expect(roundings.allSatisfy { $0 <= Money(cents: 5) }, "seed \(seed), round \(round)")
        }
        // The generator makes orders that add up: parking them all would satisfy the rest for nothing.
        #expect(booked > cases - max(1, cases / 200), "seed \(seed)")
    }
}
