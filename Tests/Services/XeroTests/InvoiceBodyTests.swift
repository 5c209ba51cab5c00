import Domain
import JSON
import Money
import Testing
import Xero

@Suite("The bytes of an invoice") struct InvoiceBodyTests {
    private let invoice = Invoice(
        number: DocumentNumber("HBR-93824701"), reference: "A-17 \"late\"",
        date: CalendarDate(year: 2026, month: 11, day: 23), dueDate: CalendarDate(year: 2026, month: 12, day: 7),
        currency: "AUD", contactNumber: "WALKIN-HBR",
        lines: [
            InvoiceLine(
                description: "Caffé Latte\n& cake", quantity: ExactDecimal(coefficient: 6, scale: 0),
                unitAmount: ExactDecimal(coefficient: 15_000, scale: 4), amount: Money(cents: 900), account: "230",
                taxType: "OUTPUT", tracking: Tracking(category: "Venue", option: "Pier Cafe & Bar")),
            InvoiceLine(
                description: "Rounding", amount: Money(cents: -2), account: "860", taxType: "BASEXCLUDED",
                tracking: nil),
        ], payments: [])

    private let expected =
        #"{"Type":"ACCREC","InvoiceNumber":"HBR-93824701","Reference":"A-17 \"late\"","Date":"2026-11-23","#
        + #""DueDate":"2026-12-07","CurrencyCode":"AUD","LineAmountTypes":"Inclusive","Status":"AUTHORISED","#
        + #""LineItems":[{"Description":"Caffé Latte\n& cake","Quantity":6,"UnitAmount":1.5000,"LineAmount":9.00,"#
        + #""AccountCode":"230","TaxType":"OUTPUT","Tracking":[{"Name":"Venue","Option":"Pier Cafe & Bar"}]},"#
        + #"{"Description":"Rounding","Quantity":1,"UnitAmount":-0.02,"LineAmount":-0.02,"AccountCode":"860","#
        + #""TaxType":"BASEXCLUDED"}]}"#

    private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

    @Test("one invoice gives exactly these bytes, each time: its stored key depends on them")
    func exactBytes() {
        #expect(text(InvoiceBody.element(invoice)) == expected)
        #expect(InvoiceBody.element(invoice) == InvoiceBody.element(invoice))
    }

    @Test("the contact is put in front, only its id, and the rest stays as it was")
    func contact() throws {
        let bytes = InvoiceBody.element(InvoiceBody.element(invoice), contact: "60aa5d55-a47e-4665-a974-874bb50263b9")
        #expect(
            text(bytes) == #"{"Contact":{"ContactID":"60aa5d55-a47e-4665-a974-874bb50263b9"},"# + expected.dropFirst())
        #expect(try JSON(parsing: bytes)["Contact"]?.members.map(\.key) == ["ContactID"])
    }

    @Test("a batch is the elements as they are, also of none and of one")
    func batch() throws {
        #expect(text(InvoiceBody.batch("Invoices", of: [])) == #"{"Invoices":[]}"#)
        let element = InvoiceBody.element(invoice)
        #expect(text(InvoiceBody.batch("Invoices", of: [element])) == #"{"Invoices":["# + expected + "]}")
        let three = try JSON(parsing: InvoiceBody.batch("Invoices", of: [element, element, element]))
        #expect(three["Invoices"]?.elements.map { Array($0.raw) } == [element, element, element])
    }

    @Test("a payment names its invoice and account, and keeps the digits of its amount")
    func payment() {
        let body = PaymentBody(
            documentID: "i-1", account: "231", date: CalendarDate(year: 2026, month: 1, day: 2), amount: "10.50",
            reference: "HBR-1 Cash")
        #expect(
            text(body.element) == #"{"Invoice":{"InvoiceID":"i-1"},"Account":{"Code":"231"},"Date":"2026-01-02","#
                + #""Amount":10.50,"Reference":"HBR-1 Cash"}"#)
    }
}
