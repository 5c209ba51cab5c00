#!/usr/bin/env bash
# Unit, property and integration tests against a real RabbitMQ and PostgreSQL. The runner's output comes last.
#
#   FILTER=regex   only the tests that match
#   CI=true        builds release as well, first: what only fails there shall not pass here
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=scripts/fleet.sh
source "$ROOT/scripts/fleet.sh"

cd "$ROOT"
end_in_order
run_child scripts/require.sh
run_child scripts/check-deploy.sh
run_child scripts/build.sh debug
[[ ${CI:-} != true ]] || run_child scripts/build.sh release
SERVER_OPTIONS=(--tls)
start_servers
export TILLBRIDGE_TEST_RABBITMQ_URL=$TILLBRIDGE_RABBITMQ_URL TILLBRIDGE_TEST_DATABASE_URL=$TILLBRIDGE_DATABASE_URL
export TILLBRIDGE_TEST_RABBITMQCTL=${TILLBRIDGE_RABBITMQCTL:-}
# A test reads the addresses meant for tests; one that reads a worker's shall not find a real server by accident.
unset TILLBRIDGE_RABBITMQ_URL TILLBRIDGE_DATABASE_URL TILLBRIDGE_RABBITMQCTL RABBITMQ_URL DATABASE_URL
[[ -n $TILLBRIDGE_TEST_RABBITMQCTL ]] || unset TILLBRIDGE_TEST_RABBITMQCTL
# Seven hundred tests at once on two cores make every wait a wait for the processor. Older compilers have no such bound.
WIDTH=() FLEETS=()
if [[ $(swift test --help-hidden 2>/dev/null) == *--experimental-maximum-parallelization-width* ]]; then
    WIDTH=(--experimental-maximum-parallelization-width 12)
    # Of whole fleets at once, too: each has half a dozen processes.
    FLEETS=(--experimental-maximum-parallelization-width 5)
fi
if [[ -n ${FILTER:-} ]]; then
    run_noted swift test --skip-build "${WIDTH[@]}" --filter "$FILTER"
else
    # Whole fleets of processes come last and alone: beside hundreds of other tests two cores would be measured, not the
    # fleet.
    # The books by the hundred thousand, and what is worked out of them: all processor, so that beside them a test of a
    # socket would wait for its turn longer than it may.
    PURE='^(AlertingTests|DomainTests|JSONTests|MappingTests|MoneyTests|XeroContractTests)\.'
    run_noted swift test --skip-build --filter "$PURE"
    run_noted swift test --skip-build "${WIDTH[@]}" --skip "$PURE" --skip EndToEndTests --skip ChaosTests
    run_noted swift test --skip-build "${FLEETS[@]}" --filter EndToEndTests
    # On servers of its own, which it kills.
    run_noted swift test --skip-build --filter ChaosTests
fi
