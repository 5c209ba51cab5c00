import Domain
import Mapping
import Money
import OrderRecipes
import Testing

/// Whole orders with everything a sale can hold, by the hundred thousand.
@Suite struct SalePropertyTests {
    private let mapping = OrderMapping(books: .complete)

    @Test("whatever an order holds, its documents come to the till's total, each tax and each tender, to the cent")
    func property() {
        var unclear = 0
        var played = 0
        let failure = PropertyRun.play(100_000) { recipe in
            played += 1
            if recipe.isAmbiguous { unclear += 1 }
            return mismatch(recipe)
        }
        #expect(failure == nil, "\(failure ?? "")")
        // Orders that can be read in two ways are checked for less: they must stay the exception.
        #expect(unclear * 20 < played, "\(unclear) of \(played) can be read in two ways")
    }

    /// What is wrong about the documents of a recipe's order; nil where all is right.
    private func mismatch(_ recipe: Recipe) -> String? {
        let order = recipe.order(id: 5_000_000_001)
        let documents: [LedgerDocument]
        switch mapping.version(of: order) {
        case .documents(let made): documents = made
        case .unbookable(let park): return "parked: \(park)"
        case let other: return "\(other)"
        }
        guard let document = documents.first, documents.count == (recipe.paidBack > 0 ? 2 : 1) else {
            return "\(documents.count) documents"
        }
        let taken = recipe.takings.reduce(0) { $0 + $1.cents }
        guard document.kind == (recipe.isRefund ? .creditNote : .invoice) else { return "kind \(document.kind)" }
        guard document.total.cents == taken + recipe.leftOnAccount else {
            return "total \(document.total), should be \(taken + recipe.leftOnAccount)"
        }
        guard document.due.cents == recipe.leftOnAccount else { return "due \(document.due)" }
        guard document.isOnAccount == (recipe.leftOnAccount > 0) else { return "on account \(document.isOnAccount)" }
        var expected: [String: Int64] = [:]
        for taking in recipe.takings where taking.cents != 0 {
            expected[VenueBooks.accountOfMethod[taking.method]!, default: 0] += taking.cents
        }
        var tenders: [String: Int64] = [:]
        for payment in document.payments { tenders[payment.account, default: 0] += payment.amount.cents }
        guard tenders == expected else { return "tenders \(tenders), should be \(expected)" }
        return mismatchInLines(document, recipe) ?? documents.dropFirst().first.flatMap { mismatchInRefund($0, recipe) }
    }

    private func mismatchInLines(_ document: LedgerDocument, _ recipe: Recipe) -> String? {
        var byType: [String: Recipe.TypeSum] = [:]
        var tips: Int64 = 0
        for line in document.lines {
            if let wrong = mismatch(in: line) { return wrong }
            switch line.account {
            case "860": guard line.amount.magnitude.cents <= 5 else { return "rounding of \(line.amount)" }
            case "825": tips += line.amount.cents
            default: byType[line.taxType, default: .init()].add(line.amount.cents, tax: line.tax.cents)
            }
        }
        guard tips == recipe.tip else { return "tips \(tips)" }
        byType = byType.filter { $0.value != .init() }
        guard byType == recipe.sumsByType || recipe.isAmbiguous else {
            return "by tax type \(byType), should be \(recipe.sumsByType)"
        }
        return nil
    }

    private func mismatch(in line: LedgerLine) -> String? {
        guard line.quantity * line.unitAmount == line.amount.decimal else { return "\(line) is no product" }
        let tax = Recipe.tax(inside: line.amount.cents, rate: Recipe.rates[line.taxType] ?? 0)
        guard line.tax.cents == tax else { return "tax of \(line), should be \(tax)" }
        return nil
    }

    private func mismatchInRefund(_ note: LedgerDocument, _ recipe: Recipe) -> String? {
        guard note.kind == .creditNote, note.total.cents == recipe.paidBack, note.due == .zero else {
            return "refund \(note.kind) of \(note.total)"
        }
        guard note.payments.map(\.account) == ["234"] else { return "refund through \(note.payments)" }
        return note.lines.lazy.compactMap(mismatch(in:)).first
    }
}
