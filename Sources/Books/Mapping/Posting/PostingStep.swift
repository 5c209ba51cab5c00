package import Domain
import Money

/// One thing to do in the ledger, and why: the reason is stored on the document.
package struct PostingStep: Sendable, Equatable, CustomStringConvertible {
    package enum Action: Sendable, Equatable {
        case create(LedgerDocument)
        /// Nothing was sent yet: the stored document gives way to this one, under the same number.
        case replace(LedgerDocument)
        /// Nothing was sent yet, and nothing shall be.
        case withdraw(DocumentNumber)
        /// Changes the document that stands under the same number; its lines are replaced whole.
        case update(LedgerDocument)
        case pay(DocumentNumber, [LedgerPayment])
        case removePayments(DocumentNumber)
        case removeAllocations(DocumentNumber)
        case void(DocumentNumber)
        case nothing
        /// Decided again when what stands in the way has an outcome.
        case hold
        case park(Park)
    }

    package let action: Action
    /// A sentence, for a bookkeeper.
    package let reason: String

    package init(_ action: Action, _ reason: String) {
        self.action = action
        self.reason = reason
    }

    /// `create HBR-1-r1`: what a table of decisions shows.
    package var description: String {
        switch action {
        case .create(let document): "create \(document.kind == .invoice ? "" : "credit ")\(document.number)"
        case .replace(let document): "replace \(document.number)"
        case .withdraw(let number): "withdraw \(number)"
        case .update(let document): "update \(document.number)"
        case .pay(let number, let payments):
            "pay \(number) \(payments.map(\.amount.description).joined(separator: " "))"
        case .removePayments(let number): "unpay \(number)"
        case .removeAllocations(let number): "unallocate \(number)"
        case .void(let number): "void \(number)"
        case .nothing: "nothing"
        case .hold: "hold"
        case .park: "park"
        }
    }
}

/// What has become of an order, as far as its documents go.
package enum OrderVersion: Sendable, Equatable {
    case documents([LedgerDocument])
    /// A rule leaves it out.
    case skipped(rule: String, reason: String)
    case deleted
    /// Not complete yet, or opened again.
    case open(status: String)
    case unbookable(Park)
}

extension OrderMapping {
    /// Reads one version of an order; never throws, so that a decision can be made about every version.
    package func version(of order: Order) -> OrderVersion {
        if order.isDeleted { return .deleted }
        let isOpenAccount = order.isOnAccount && order.customer != nil
        if !order.isComplete && !isOpenAccount { return .open(status: order.status) }
        do {
            switch try outcome(for: order) {
            case .documents(let documents): return .documents(documents)
            case .skipped(let rule, let reason): return .skipped(rule: rule, reason: reason)
            }
        } catch { return .unbookable(error) }
    }
}
