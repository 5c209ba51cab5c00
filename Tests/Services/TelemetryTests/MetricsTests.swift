import Telemetry
import Testing

@Suite("Metrics") struct MetricsTests {
    @Test("counters add up, gauges keep the last value, each with its type above it")
    func countersAndGauges() {
        let metrics = Metrics()
        metrics.count("tillbridge_orders_total")
        metrics.count("tillbridge_orders_total", by: 4)
        metrics.set("tillbridge_documents_open", ["state": "ready"], to: 7)
        metrics.set("tillbridge_documents_open", ["state": "ready"], to: -2)
        #expect(
            metrics.rendered() == """
                # TYPE tillbridge_orders_total counter
                tillbridge_orders_total 5
                # TYPE tillbridge_documents_open gauge
                tillbridge_documents_open{state="ready"} -2

                """)
    }

    @Test("series of one name stand together under one type, whatever order they came in")
    func order() {
        let metrics = Metrics()
        metrics.count("b_total", ["queue": "map"])
        metrics.count("a_total")
        metrics.count("b_total", ["queue": "dead"], by: 2)
        #expect(
            metrics.rendered() == """
                # TYPE a_total counter
                a_total 1
                # TYPE b_total counter
                b_total{queue="dead"} 2
                b_total{queue="map"} 1

                """)
    }

    @Test("labels in another order are the same series")
    func labelOrder() {
        let metrics = Metrics()
        metrics.count("a_total", ["x": "1", "b": "2"])
        metrics.count("a_total", ["b": "2", "x": "1"])
        #expect(metrics.rendered().contains(#"a_total{b="2",x="1"} 2"#))
    }

    @Test("quotes, backslashes and line breaks in a label cannot break the text")
    func escaping() {
        let metrics = Metrics()
        metrics.count("a_total", ["cause": "say \"no\"\\\nb_total 99"])
        let lines = metrics.rendered().split(separator: "\n")
        #expect(lines == ["# TYPE a_total counter", #"a_total{cause="say \"no\"\\\nb_total 99"} 1"#])
    }

    @Test("a histogram's buckets are cumulative and end with all of them, its sum is exact")
    func histogram() {
        let metrics = Metrics()
        for duration in [Duration.milliseconds(1), .milliseconds(30), .seconds(3), .seconds(100)] {
            metrics.time("call_seconds", ["endpoint": "Invoices"], took: duration)
        }
        #expect(
            metrics.rendered() == """
                # TYPE call_seconds histogram
                call_seconds_bucket{endpoint="Invoices",le="0.001000"} 1
                call_seconds_bucket{endpoint="Invoices",le="0.005000"} 1
                call_seconds_bucket{endpoint="Invoices",le="0.025000"} 1
                call_seconds_bucket{endpoint="Invoices",le="0.100000"} 2
                call_seconds_bucket{endpoint="Invoices",le="0.500000"} 2
                call_seconds_bucket{endpoint="Invoices",le="2.000000"} 2
                call_seconds_bucket{endpoint="Invoices",le="10.000000"} 3
                call_seconds_bucket{endpoint="Invoices",le="60.000000"} 3
                call_seconds_bucket{endpoint="Invoices",le="+Inf"} 4
                call_seconds_sum{endpoint="Invoices"} 103.031000
                call_seconds_count{endpoint="Invoices"} 4

                """)
    }

    @Test("counts from many tasks are all there")
    func concurrency() async {
        let metrics = Metrics()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask { for _ in 0..<500 { metrics.count("a_total") } }
            }
        }
        #expect(metrics.rendered().contains("a_total 4000\n"))
    }
}
