import Domain
import Messaging
import Setbacks
import Store
import Xero

extension Writing {
    /// Sets credit notes against the invoices they settle. What stands is looked for first: allocations have no number.
    mutating func allocate(_ claims: [Claim]) async throws {
        for claim in claims {
            do { try await allocate(claim) } catch let failure as PutOff {
                let left = claim.payments.filter { $0.allocates != nil && open[claim.id]?.contains($0.id) == true }
                try await putOff(
                    left.map { Due(claim: claim, payment: $0, documentID: claim.xeroID ?? "") }, failure)
            }
        }
    }

    private mutating func allocate(_ claim: Claim) async throws {
        for item in claim.payments where item.isOpen && item.allocates != nil {
            guard let number = item.allocates, let note = claim.xeroID else { continue }
            let due = Due(claim: claim, payment: item, documentID: note)
            guard let invoice = try await documents(.invoice, [number], holding: [claim]).first, !invoice.isGone
            else {
                if try await tools.store.isOnItsWay(number, in: tools.organisation) {
                    try await putOff(claim, "the invoice \(number) is not in the ledger yet")
                    break
                }
                let cause = "Xero holds no invoice \(number) that \(claim.name) could settle."
                park(claim, Park(
                    .value, cause,
                    remedy: "Set the credit note against the right invoice in Xero, then discard this letter."))
                try await record([(due, PaymentResult(id: item.id, state: .refused, cause: cause))], of: nil)
                continue
            }
            try await allocate(item, due, to: invoice, number)
        }
    }

    private mutating func allocate(
        _ item: ClaimedPayment, _ due: Due, to invoice: LedgerInvoice, _ number: String
    ) async throws {
        let claim = due.claim
        func isSet() async throws -> Bool {
            try await standing([claim]).first?.allocations.contains {
                $0.invoiceID == invoice.id && Amounts.areEqual($0.amount ?? "", item.amount)
            } ?? false
        }
        do {
            var call: AnsweredCall?
            if try await !isSet() {
                let change = LedgerChange.allocate(
                    item.amount, of: due.documentID, to: invoice.id, on: "\(item.date)")
                call = try await self.change(claim, change, unless: isSet)
            }
            try await record([(due, PaymentResult(id: item.id, state: .written))], of: call)
        } catch let refusal as TaskRefusal {
            let park = RefusalReading.park(
                [refusal.sentence], document: "to set \(claim.name) against invoice \(number)")
            self.park(claim, park)
            try await record(
                [(due, PaymentResult(id: item.id, state: .refused, cause: park.cause))], of: refusal.call)
        }
    }

    private static let invoiceWait = Duration.seconds(5)

    /// Another writer has the invoice in hand, or its message is on its way. A letter that the document has already
    /// waits with it: what was refused is stored, and the next claim makes the letter again.
    private mutating func putOff(_ claim: Claim, _ why: String) async throws {
        try await tools.store.putOff([claim], for: Self.invoiceWait)
        verdicts[claim.id] = .retry(after: Self.invoiceWait, counted: false, cause: why)
    }
}
