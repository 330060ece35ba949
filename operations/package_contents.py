"""What the deployment package contains beside the Python sources, and which sources it does not need."""

PACKAGE_DATA = {"stripe/data/ca-certificates.crt", "chalicelib/aws/amazon_roots.pem"}

# Regular expressions. stripe-python imports these modules at their first use, and no request or event uses them: the
# types of parameters, the events of Stripe's API v2, and the services, because raw_request needs none. The private
# module names are those of the pinned version; the tests of the package fail if a request needs an excluded module.
PACKAGE_EXCLUDES = (r"stripe/(params|events)/.*", r"stripe/(?!_stripe_service|_oauth_service)(\w+/)*\w+_service\.py")
