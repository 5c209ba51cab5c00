import Domain
import Testing

@Suite struct DocumentStateTests {
    @Test("nothing is sent before it is claimed, and what stands can only be made void, for good")
    func moves() {
        #expect(!DocumentState.ready.canMove(to: .written))
        #expect(DocumentState.claimed.canMove(to: .sent))
        #expect(DocumentState.uncertain.canMove(to: .written))
        #expect(DocumentState.uncertain.canMove(to: .ready))
        #expect(DocumentState.allCases.filter { DocumentState.written.canMove(to: $0) } == [.voided])
        for end in [DocumentState.voided, .withdrawn] {
            #expect(DocumentState.allCases.allSatisfy { !end.canMove(to: $0) })
        }
        #expect(DocumentState.allCases.filter { $0.canMove(to: .sent) } == [.ready, .claimed, .uncertain])
        #expect(DocumentState.allCases.filter { $0.canMove(to: .written) } == [.sent, .uncertain])
    }

    @Test("a document's number is made of prefix and order, and of the revision where there is one")
    func numbers() {
        #expect(DocumentNumber(prefix: "KAR", order: OrderID("93824701")).text == "KAR-93824701")
        #expect(DocumentNumber(prefix: "KAR", order: OrderID("93824701"), revision: 2).text == "KAR-93824701-r2")
    }
}
