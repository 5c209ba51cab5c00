# The doors to Tillbridge. The work is in scripts/; each of them may be run alone.

.PHONY: help demo up test bench chaos property build clean
.DEFAULT_GOAL := help

# Variables given on make's command line reach the scripts through the environment.
export ORDERS LIMITS POSTING ONLY N FILTER SEED SEEDS RABBITMQ_URL DATABASE_URL KEEP JOBS

help:
	@echo 'make demo       a busy service from till to ledger, and a proof at the end'
	@echo '                  ORDERS=file.csv  with these orders      LIMITS=real  at the vendors'\'' own limits'
	@echo '                  POSTING=daily    one invoice for each venue and trading day'
	@echo 'make up         the same fleet, up until Ctrl-C (LIMITS as above)'
	@echo 'make test       unit, property and integration tests, real RabbitMQ and PostgreSQL'
	@echo '                  FILTER=regex  only the tests that match'
	@echo 'make bench      measures; ONLY=drain  runs that one alone'
	@echo 'make chaos      kills, cuts and confuses real processes, 100 seeds, and proves the books after each'
	@echo '                  SEEDS=10  so many      SEED=17  that one alone'
	@echo 'make property   the property tests, a million cases each; N=100000  says how many, SEED=17  which'
	@echo 'make build      builds, and installs what is missing for it'
	@echo 'make clean      removes what was built and what runs left behind'
	@echo
	@echo 'RABBITMQ_URL=… DATABASE_URL=… use those servers instead of private ones.'
	@echo 'KEEP=1 leaves the data and logs of the private servers under .local/.'

demo up test bench chaos property:
	@scripts/$@.sh

build:
	@scripts/require.sh build
	@scripts/build.sh release

clean:
	@scripts/clean.sh
