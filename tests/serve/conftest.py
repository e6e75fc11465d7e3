"""What every test of this folder may ask for by name."""

from tests.serve.peers import orthanc as orthanc
from tests.serve.peers import storescp as storescp
