import AMQP

@testable import FleetHarness

/// One product with GST at the Harbour Bistro, as Kounta writes its orders; amounts in cents.
struct TillOrder {
    struct Payment {
        let method: String
        let cents: Int
        let day: String

        static func card(_ cents: Int, on day: String) -> Payment { Payment(method: "Card", cents: cents, day: day) }
        static func cash(_ cents: Int, on day: String) -> Payment { Payment(method: "Cash", cents: cents, day: day) }
    }

    let id: Int
    var cents: Int
    var day = "2026-11-20"
    var payments: [Payment]
    var product = "Pie"
    var saleNumber: String
    var refunds: Int?
    /// All amounts below zero: the other way a till may write a refund.
    var isNegative = false
    /// Id, first and last name.
    var customer: (id: Int, first: String, last: String)?
    /// A named customer's sale is on their account.
    var isOnAccount = true
    var isDeleted = false

    init(_ id: Int, _ cents: Int, on day: String = "2026-11-20") {
        self.id = id
        self.cents = cents
        self.day = day
        payments = [.card(cents, on: day)]
        saleNumber = "T1-\(id)"
    }

    func with(_ change: (inout TillOrder) -> Void) -> TillOrder {
        var order = self
        change(&order)
        return order
    }

    func onAccount(of id: Int, _ first: String, _ last: String) -> TillOrder {
        with {
            $0.customer = (id, first, last)
            $0.payments = []
        }
    }

    /// A customer who is known by name and pays at once.
    func paid(by id: Int, _ first: String, _ last: String) -> TillOrder {
        with {
            $0.customer = (id, first, last)
            $0.isOnAccount = false
        }
    }

    func refund(_ id: Int, _ cents: Int, _ payments: [Payment], on day: String = "2026-11-21") -> TillOrder {
        with {
            $0 = TillOrder(id, cents, on: day)
            $0.payments = payments
            $0.refunds = self.id
            $0.customer = customer
        }
    }

    var json: String {
        let sign = isNegative ? -1 : 1
        // Half up, as the till rounds the tax inside a price.
        let tax = (2 * cents + 11) / 22
        func money(_ value: Int) -> String {
            let value = value * sign
            let digits = "\(value.magnitude % 100)"
            return "\(value < 0 ? "-" : "")\(value.magnitude / 100).\(digits.count < 2 ? "0" : "")\(digits)"
        }
        let paid = payments.enumerated().map { index, payment in
            """
            {"id":\(index + 1),"method":{"id":\(payment.method.count),"name":"\(payment.method)"},\
            "amount":\(money(payment.cents)),"created_at":"\(payment.day)T12:00:05+11:00"}
            """
        }
        var extra = ""
        if let refunds { extra += #""is_refund":true,"refunded_order_id":\#(refunds),"# }
        if isDeleted { extra += #""deleted":true,"# }
        if let customer {
            if isOnAccount { extra += #""order_payment_type":"Account","# }
            extra += #""customer":{"id":\#(customer.id),"#
                + #""first_name":"\#(customer.first)","last_name":"\#(customer.last)"},"#
        }
        return """
            {"id":\(id),"company_id":162,"site_id":923,"register_id":9091,"status":"COMPLETE",\(extra)\
            "sale_number":"\(saleNumber)","total":\(money(cents)),"total_tax":\(money(tax)),\
            "paid":\(money(payments.reduce(0) { $0 + $1.cents })),"created_at":"\(day)T12:00:00+11:00",\
            "lines":[{"number":1,"product":{"id":1,"name":"\(product)"},"quantity":\(sign),\
            "unit_price":\((cents - tax) / 100).\((cents - tax) % 100 / 10)\((cents - tax) % 10),\
            "line_total_ex_tax":\(money(cents - tax)),"line_total_tax":\(money(tax)),\
            "taxes":[{"id":1,"name":"GST","rate":0.1}]}],"payments":[\(paid.joined(separator: ","))]}
            """
    }

    func message(_ messages: Messages) -> AMQPMessage { messages.order(id: "\(id)", body: json) }
}

extension RunningFleet {
    func publish(_ orders: TillOrder...) async throws {
        let messages = Messages(run: fleet.run)
        try await publish(orders.map { $0.message(messages) })
    }
}
