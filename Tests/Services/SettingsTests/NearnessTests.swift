import Settings
import Testing

@Suite("The nearest word") struct NearnessTests {
    @Test("a slip of the finger finds its word; a word of another kind finds none")
    func nearest() {
        let words = ["accounts", "taxes", "limits"]
        #expect(Nearness.nearest(to: "acounts", in: words) == "accounts")
        #expect(Nearness.nearest(to: "LIMITS", in: words) == "limits")
        #expect(Nearness.nearest(to: "tax", in: words) == "taxes")
        #expect(Nearness.nearest(to: "organisation", in: words) == nil)
        #expect(Nearness.nearest(to: "anything", in: [String]()) == nil)
    }
}
