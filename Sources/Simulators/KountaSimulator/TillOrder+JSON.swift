extension TillOrder {
    /// The full record as the by-id GET answers it. An order that is not complete has no payments yet.
    /// - Parameter updatedAt: Unix seconds.
    package func json(_ stage: OrderStage, shape: OrderShape, updatedAt: Int64) -> [UInt8] {
        var out = TillPrinter(capacity: 900 + lines.count * 420)
        out.quotesAmounts = quotesAmounts
        let payments = stage == .complete ? self.payments : []
        let tips = payments.reduce(0) { $0 + $1.tipCents }
        writeHead(&out, stage, updatedAt, total: goodsCents + (shape.tipsInTotal ? tips : 0), tips: tips)
        out.fixed(",\"paid\":")
        out.cents(payments.isEmpty ? 0 : paidCents)
        if let customer { Self.write(customer, &out) }
        out.fixed(",\"lines\":[")
        for (index, line) in lines.enumerated() {
            if index > 0 { out.fixed(",") }
            write(line, at: index, shape, &out)
        }
        out.fixed("],\"options\":[],\"payments\":[")
        for (index, payment) in payments.enumerated() {
            if index > 0 { out.fixed(",") }
            write(payment, at: index, shape, &out)
        }
        out.fixed("],\"lock\":[]}")
        return out.bytes
    }

    private func writeHead(
        _ out: inout TillPrinter, _ stage: OrderStage, _ updatedAt: Int64, total: Int64, tips: Int64
    ) {
        out.fixed("{\"id\":")
        out.integer(id)
        out.fixed(",\"id_str\":\"")
        out.integer(id)
        out.fixed("\",\"company_id\":")
        out.integer(company)
        out.fixed(",\"sale_number\":")
        out.string(saleNumber)
        out.fixed(",\"status\":\"")
        out.fixed(stage.status)
        out.fixed("\",\"notes\":")
        out.string(notes)
        out.fixed(",\"site_id\":")
        out.integer(site)
        out.fixed(",\"register_id\":")
        out.integer(register)
        out.fixed(",\"staff_member_id\":")
        out.integer(staff)
        out.fixed(",\"group_id\":null,\"guests\":")
        out.integer(guests)
        out.fixed(",\"order_type\":")
        out.string(type)
        out.fixed(",\"order_payment_type\":\"sale\",\"is_refund\":false,\"refunded_order_id\":null,\"deleted\":false")
        out.fixed(",\"total\":")
        out.cents(total)
        if !omitsTotalTax {
            out.fixed(",\"total_tax\":")
            out.cents(taxCents)
        }
        out.fixed(",\"tips\":")
        out.cents(tips)
        if variation != 10_000 {
            out.fixed(",\"price_variation\":")
            out.decimal(variation)
        }
        if fixedVariationCents != 0 {
            out.fixed(",\"price_fixed_variation\":")
            out.cents(fixedVariationCents)
        }
        out.fixed(",\"created_at\":")
        out.time(createdAt)
        out.fixed(",\"updated_at\":")
        out.time(updatedAt)
        out.fixed(",\"placed_at\":")
        out.time(createdAt)
        out.fixed(",\"fulfil_at\":null")
    }

    private static func write(_ customer: Customer, _ out: inout TillPrinter) {
        out.fixed(",\"customer\":{\"id\":")
        out.integer(customer.id)
        out.fixed(",\"first_name\":")
        out.string(customer.firstName)
        out.fixed(",\"last_name\":")
        out.string(customer.lastName)
        out.fixed(",\"email\":")
        out.string(customer.email)
        out.fixed(",\"image\":null}")
    }

    private func write(_ line: Line, at index: Int, _ shape: OrderShape, _ out: inout TillPrinter) {
        out.fixed("{\"number\":")
        out.integer(Int64(index + 1))
        out.fixed(",\"line_id\":")
        out.integer(id * 100 + Int64(index + 1))
        out.fixed(",\"product\":{\"id\":")
        out.integer(line.productID)
        out.fixed(",\"name\":")
        out.string(line.name)
        out.fixed("},\"quantity\":")
        out.decimal(line.quantity)
        out.fixed(",\"notes\":")
        out.string(line.notes)
        writeAmounts(of: line, shape, &out)
        if line.variation != 10_000 {
            out.fixed(",\"price_variation\":")
            out.decimal(line.variation)
        }
        if line.fixedVariationCents != 0 {
            out.fixed(",\"price_fixed_variation\":")
            out.cents(line.fixedVariationCents)
        }
        writeTaxes(of: line, &out)
        out.fixed(",\"modifiers\":[")
        if let modifier = line.modifier {
            out.fixed("{\"id\":")
            out.integer(modifier.id)
            out.fixed(",\"name\":")
            out.string(modifier.name)
            out.fixed("}")
        }
        out.fixed(line.isOption ? "],\"part_of_option_set\":true}" : "],\"part_of_option_set\":false}")
    }

    private func writeAmounts(of line: Line, _ shape: OrderShape, _ out: inout TillPrinter) {
        // The tax-exclusive unit price has four decimals in today's records and two in old ones; with its tax it
        // always makes the price on the menu.
        let inclusive = line.unitCents * 100
        let unitTax: Int64
        if line.isGSTFree {
            unitTax = 0
        } else {
            unitTax = hasOldShape ? Amounts.gst(inside: line.unitCents) * 100 : Amounts.rounded(inclusive, over: 11)
        }
        out.fixed(",\"unit_price\":")
        out.decimal(inclusive - unitTax)
        out.fixed(",\"unit_tax\":")
        out.decimal(unitTax)
        if !hasOldShape {
            let total = shape.lineTotalsIncludeVariations ? line.chargedCents : line.listedCents
            let tax = line.isGSTFree ? 0 : Amounts.gst(inside: total)
            out.fixed(",\"line_total_ex_tax\":")
            out.cents(total - tax)
            out.fixed(",\"line_total_tax\":")
            out.cents(tax)
        }
    }

    /// GST-free comes in two forms: no tax at all, or one with the rate 0.
    private func writeTaxes(of line: Line, _ out: inout TillPrinter) {
        if !line.isGSTFree {
            out.fixed(",\"taxes\":[{\"id\":829,\"name\":\"Goods & Services Tax\",\"rate\":0.1}]")
        } else if isGSTFreeByRate {
            out.fixed(",\"taxes\":[{\"id\":844,\"name\":\"GST Free\",\"rate\":0}]")
        } else {
            out.fixed(",\"taxes\":[]")
        }
    }

    private func write(_ payment: Payment, at index: Int, _ shape: OrderShape, _ out: inout TillPrinter) {
        out.fixed("{\"id\":")
        out.integer(id * 10 + Int64(index + 1))
        out.fixed(",\"number\":")
        out.integer(Int64(index + 1))
        out.fixed(",\"method\":{\"id\":")
        out.integer(payment.method)
        out.fixed(",\"name\":")
        out.string(Tender.name(payment.method))
        out.fixed("},\"amount\":")
        let carriesTip = shape.tipsInAmounts && payment.amountCents != 0
        if payment.amountCents == 0 && payment.tipCents > 0 {
            out.fixed("0.00")
        } else {
            out.cents(payment.amountCents + (carriesTip ? payment.tipCents : 0))
        }
        out.fixed(",\"tip\":")
        out.cents(payment.tipCents)
        out.fixed(",\"created_at\":")
        out.time(createdAt + payment.delay)
        out.fixed(",\"ref\":null}")
    }
}
