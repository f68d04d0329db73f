"""Any receiver of JSON over HTTP."""
